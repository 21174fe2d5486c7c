"""PerceptionLM: a timm encoder with tiles; the connector pools patches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from eyechart.models.families.base import Adapter, PreparedImage, square
from eyechart.models.families.llava_next import LlavaNext


class PerceptionLM(LlavaNext):
    """PerceptionLMForConditionalGeneration; one tile, or a thumbnail and tiles."""

    VISION = "model.vision_tower.timm_model.blocks"
    LISTED = False

    def leading(self, region: str) -> int:
        """Return 1 if the model uses a class token."""
        return int(region == "vision" and bool(self.model.config.vision_use_cls_token))

    def gather(self, pictures: Sequence[PreparedImage]) -> dict[str, Tensor]:
        """Return the tiles of all images in one row, in the extra axis of the class."""
        found = super().gather(pictures)
        return {"pixel_values": found["pixel_values"][None]}

    @property
    def patch(self) -> int:
        """The side of a patch, in pixels of a tile."""
        return int(self.processor.patch_size)

    @property
    def merged(self) -> int:
        """Number of patches along a side that are merged into one image token."""
        return int(self.processor.pooling_ratio)

    def gathered(self, patches: np.ndarray, picture: PreparedImage, region: str) -> np.ndarray:
        """Return the boxes of pooled patches, tile after tile: nothing is joined here."""
        return Adapter.gathered(self, patches, picture, region)

    def grid(self, picture: PreparedImage) -> np.ndarray:
        """Return the grid of each tile, in order."""
        side = self.processor.image_processor.tile_size // self.patch // self.merged
        return square(side**2, picture.rows)


FAMILY = PerceptionLM
