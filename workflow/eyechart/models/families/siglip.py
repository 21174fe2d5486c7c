"""SigLIP: two towers; the picture's tower and the head that pools it by attention are examined."""

from __future__ import annotations

from typing import ClassVar

from eyechart.models.families.two_towers import TwoTowers


class Siglip(TwoTowers):
    """SiglipModel; it has no class token, and its connector gives one vector per picture."""

    MODEL = "SiglipModel"
    VISION = "vision_model.encoder.layers"
    CONNECTOR = "vision_model.head"
    ROOTS: ClassVar = {"vision": "vision_model", "connector": "vision_model.head"}
    PADDING = "max_length"


FAMILY = Siglip
