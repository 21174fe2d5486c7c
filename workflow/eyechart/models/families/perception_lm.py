"""PerceptionLM: a timm encoder, tiles, patches pooled in the connector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from eyechart.models.families.base import Picture, square
from eyechart.models.families.llava_next import LlavaNext


class PerceptionLM(LlavaNext):
    """PerceptionLMForConditionalGeneration; one tile, or a thumbnail and tiles."""

    VISION = "model.vision_tower.timm_model.blocks"
    LISTED = False

    def leading(self, region: str) -> int:
        """Give the class token, if the model uses one."""
        return int(region == "vision" and bool(self.model.config.vision_use_cls_token))

    def gather(self, pictures: Sequence[Picture]) -> dict[str, Tensor]:
        """Put the tiles of all pictures in one row, in the class's own extra axis."""
        found = super().gather(pictures)
        return {"pixel_values": found["pixel_values"][None]}

    def grid(self, picture: Picture) -> np.ndarray:
        """Give each tile's grid, tile after tile."""
        processor = self.processor
        side = (
            processor.image_processor.tile_size // processor.patch_size // processor.pooling_ratio
        )
        return square(side**2, picture.rows)


FAMILY = PerceptionLM
