"""InternVL: tiles, each merged to a quarter of its patches before the connector."""

from __future__ import annotations

import numpy as np

from eyechart.models.families.image_tokens import PreparedImage, square
from eyechart.models.families.llava import Llava


class InternVL(Llava):
    """InternVLForConditionalGeneration."""

    VISION = "model.vision_tower.encoder.layer"
    FEATURES_AS_LIST = False

    def leading(self, component: str) -> int:
        """Return 1 in the encoder: the class token."""
        return int(component == "vision")

    @property
    def merged(self) -> int:
        """Number of patches along a side that are merged into one image token."""
        return round(1 / self.model.config.downsample_ratio)

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid of each tile, in order."""
        return square(int(self.processor.image_seq_length), image.rows)


FAMILY = InternVL
