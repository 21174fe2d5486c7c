"""PerceptionLM: a timm encoder, tiles, patches pooled in the connector."""

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
        """Give the class token, if the model uses one."""
        return int(region == "vision" and bool(self.model.config.vision_use_cls_token))

    def gather(self, pictures: Sequence[PreparedImage]) -> dict[str, Tensor]:
        """Put the tiles of all pictures in one row, in the class's own extra axis."""
        found = super().gather(pictures)
        return {"pixel_values": found["pixel_values"][None]}

    @property
    def patch(self) -> int:
        """The side of a patch, in pixels of a tile."""
        return int(self.processor.patch_size)

    @property
    def merged(self) -> int:
        """How many patches, along a side, make one token of the last stage."""
        return int(self.processor.pooling_ratio)

    def gathered(self, patches: np.ndarray, picture: PreparedImage, region: str) -> np.ndarray:
        """Give the places of pooled patches, tile after tile: nothing is joined here."""
        return Adapter.gathered(self, patches, picture, region)

    def grid(self, picture: PreparedImage) -> np.ndarray:
        """Give each tile's grid, tile after tile."""
        side = self.processor.image_processor.tile_size // self.patch // self.merged
        return square(side**2, picture.rows)


FAMILY = PerceptionLM
