"""Aya Vision: tiles, each merged by the connector to a quarter of its patches."""

from __future__ import annotations

import numpy as np

from eyechart.models.families.image_tokens import PreparedImage, square
from eyechart.models.families.llava import Llava


class AyaVision(Llava):
    """AyaVisionForConditionalGeneration; most blocks of its language model use a sliding window."""

    FEATURES_AS_LIST = False

    @property
    def merged(self) -> int:
        """Number of patches along a side that are merged into one image token."""
        return int(self.model.config.downsample_factor)

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid of each tile, in order."""
        return square(self.tokens_per_tile() // self.merged**2, image.rows)


FAMILY = AyaVision
