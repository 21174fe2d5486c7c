"""Aya Vision: tiles, each merged to a quarter of its patches in the connector."""

from __future__ import annotations

import numpy as np

from eyechart.models.families.base import PreparedImage, square
from eyechart.models.families.llava import Llava


class AyaVision(Llava):
    """AyaVisionForConditionalGeneration; most blocks of its language model see a window only."""

    LISTED = False

    @property
    def merged(self) -> int:
        """How many patches, along a side, make one token of the last stage."""
        return int(self.model.config.downsample_factor)

    def grid(self, picture: PreparedImage) -> np.ndarray:
        """Give each tile's grid, tile after tile."""
        return square(self.tokens_per_tile() // self.merged**2, picture.rows)


FAMILY = AyaVision
