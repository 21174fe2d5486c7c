"""PerceptionLM: a timm encoder with tiles, and a connector that pools patches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from eyechart.models.families.base import Adapter
from eyechart.models.families.image_tokens import PreparedImage, square
from eyechart.models.families.llava_next import LlavaNext


class PerceptionLM(LlavaNext):
    """PerceptionLMForConditionalGeneration; one tile, or a thumbnail and tiles."""

    VISION = "model.vision_tower.timm_model.blocks"
    FEATURES_AS_LIST = False

    def leading(self, component: str) -> int:
        """Return 1 if the model uses a class token."""
        return int(component == "vision" and bool(self.model.config.vision_use_cls_token))

    def batch_inputs(self, images: Sequence[PreparedImage]) -> dict[str, Tensor]:
        """Return the tiles of all images along one axis, after the extra axis the class expects."""
        found = super().batch_inputs(images)
        return {"pixel_values": found["pixel_values"][None]}

    @property
    def patch(self) -> int:
        """Side of a patch, in pixels of a tile."""
        return int(self.processor.patch_size)

    @property
    def merged(self) -> int:
        """Number of patches along a side that are merged into one image token."""
        return int(self.processor.pooling_ratio)

    def output_boxes(self, patches: np.ndarray, image: PreparedImage, component: str) -> np.ndarray:
        """Return the boxes of pooled patches, tile by tile, as tiles are not joined."""
        return Adapter.output_boxes(self, patches, image, component)

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid of each tile, in order."""
        side = self.processor.image_processor.tile_size // self.patch // self.merged
        return square(side**2, image.rows)


FAMILY = PerceptionLM
