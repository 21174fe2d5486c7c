"""CLIP: two towers; the image tower and its projection are examined."""

from __future__ import annotations

from typing import ClassVar

from eyechart.models.families.two_towers import TwoTowers


class Clip(TwoTowers):
    """CLIPModel; its connector projects only the class token, into the space shared with text."""

    MODEL = "CLIPModel"
    VISION = "vision_model.encoder.layers"
    CONNECTOR = "visual_projection"
    ROOTS: ClassVar = {"vision": "vision_model", "connector": "visual_projection"}
    LEADING = 1


FAMILY = Clip
