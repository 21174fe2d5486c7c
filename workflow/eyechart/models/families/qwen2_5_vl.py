"""Qwen2.5-VL: Qwen2-VL with window attention in most blocks of the encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers.vision_utils import get_vision_window_index

from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.qwen2_vl import Qwen2VL


class Qwen25VL(Qwen2VL):
    """Qwen2_5_VLForConditionalGeneration.

    The encoder sorts patches by window and restores their order after the connector.
    """

    def layout(
        self, component: str, hidden: Tensor, images: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Lay out patches, or merged patches, in image order."""
        eye = self.model.model.visual
        order, _ = get_vision_window_index(  # of merged patches
            torch.cat([p.inputs["image_grid_thw"] for p in images]),
            spatial_merge_size=eye.spatial_merge_size,
            window_size=eye.window_size,
            patch_size=eye.patch_size,
        )
        order = torch.as_tensor(order).to(hidden.device)
        unit = len(hidden) // len(order)  # 1 after the connector
        back = order.argsort()
        sorted_back = hidden.reshape(len(order), unit, -1)[back].reshape(hidden.shape)
        return super().layout(component, sorted_back, images)


FAMILY = Qwen25VL
