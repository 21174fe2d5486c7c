"""SigLIP: two towers; the image tower and its attention-pooling head are examined."""

from __future__ import annotations

from typing import ClassVar

from eyechart.models.families.base import Adapter
from eyechart.models.families.two_towers import TwoTowers


class SiglipVision(Adapter):
    """SiglipVisionModel: the examined part of SiglipModel, without a text tower."""

    BATCHED = True
    MODEL = "SiglipVisionModel"
    VISION = "encoder.layers"
    CONNECTOR = "head"
    ROOTS: ClassVar = {"vision": "encoder", "connector": "head"}

    def addresses(self) -> dict[str, str]:
        """Return the module path of every address; a tower without a head has no connector."""
        found = super().addresses()
        if not hasattr(self.model, "head"):
            del found["connector"]
        return found


class Siglip(TwoTowers):
    """SiglipModel, without a class token; its connector returns one vector per image."""

    BATCHED = True
    MODEL = "SiglipModel"
    VISION = "vision_model.encoder.layers"
    CONNECTOR = "vision_model.head"
    ROOTS: ClassVar = {"vision": "vision_model", "connector": "vision_model.head"}
    PADDING = "max_length"
    ALONE = (SiglipVision,)


FAMILY = Siglip
