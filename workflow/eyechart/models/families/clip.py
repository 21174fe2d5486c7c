"""CLIP: two towers; the picture's tower and its projection are examined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from eyechart.models.families.base import Adapter, Picture, Seen


class Clip(Adapter):
    """CLIPModel; its connector projects the class token alone, into the space shared with text."""

    MODEL = "CLIPModel"
    VISION = "vision_model.encoder.layers"
    CONNECTOR = "visual_projection"
    ROOTS: ClassVar = {"vision": "vision_model", "connector": "visual_projection"}
    LEADING = 1

    def look(self, pictures: Sequence[Picture]) -> list[Seen]:
        """Run the picture's tower and its projection."""
        self.model.get_image_features(**self.gather(pictures))
        return []


FAMILY = Clip
