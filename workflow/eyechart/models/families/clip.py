"""CLIP: two towers; the image tower and its projection are examined."""

from __future__ import annotations

from typing import ClassVar

from eyechart.models.families.base import Adapter
from eyechart.models.families.two_towers import TwoTowers


class ClipProjected(Adapter):
    """CLIPVisionModelWithProjection: the examined part of CLIPModel, without a text tower."""

    BATCHED = True
    MODEL = "CLIPVisionModelWithProjection"
    VISION = "vision_model.encoder.layers"
    CONNECTOR = "visual_projection"
    ROOTS: ClassVar = {"vision": "vision_model", "connector": "visual_projection"}
    LEADING = 1


class ClipVision(Adapter):
    """CLIPVisionModel: the image tower without its projection."""

    BATCHED = True
    MODEL = "CLIPVisionModel"
    VISION = "encoder.layers"
    ROOTS: ClassVar = {"vision": "encoder"}
    LEADING = 1


class Clip(TwoTowers):
    """CLIPModel; its connector projects only the class token, into the space shared with text."""

    BATCHED = True
    MODEL = "CLIPModel"
    VISION = ClipProjected.VISION
    CONNECTOR = ClipProjected.CONNECTOR
    ROOTS = ClipProjected.ROOTS
    LEADING = 1
    ALONE = (ClipProjected, ClipVision)


FAMILY = Clip
