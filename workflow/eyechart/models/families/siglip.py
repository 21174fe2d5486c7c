"""SigLIP: two towers; the picture's tower and the head that pools it by attention are examined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from eyechart.models.families.base import Adapter, Picture, Seen


class Siglip(Adapter):
    """SiglipModel; it has no class token, and its connector gives one vector per picture."""

    MODEL = "SiglipModel"
    VISION = "vision_model.encoder.layers"
    CONNECTOR = "vision_model.head"
    ROOTS: ClassVar = {"vision": "vision_model", "connector": "vision_model.head"}

    def look(self, pictures: Sequence[Picture]) -> list[Seen]:
        """Run the picture's tower and its head."""
        self.model.get_image_features(**self.gather(pictures))
        return []


FAMILY = Siglip
