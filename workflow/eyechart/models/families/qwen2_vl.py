"""Qwen2-VL: images of any size, packed; token positions in time, height and width (M-RoPE)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage, rectangle
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.spans import Tokens


class Qwen2VL(LanguageAdapter):
    """Qwen2VLForConditionalGeneration; its connector merges 2 x 2 patches."""

    VISION = "model.visual.blocks"
    CONNECTOR = "model.visual.merger"
    PACKED = True
    ROOTS: ClassVar = {
        "vision": "model.visual",
        "connector": "model.visual.merger",
        "lm": "model.language_model",
    }

    def rows(self, inputs: dict[str, Tensor]) -> int:
        """Return the number of patches."""
        return int(inputs["image_grid_thw"].prod())

    def encode_images(self, images: Any) -> list[EncodedImage]:
        """Run the encoder and connector; keep the grids, since position ids depend on them."""
        found = super().encode_images(images)
        for encoded, image in zip(found, images, strict=True):
            encoded.more["grid"] = image.inputs["image_grid_thw"]
        return found

    def positions(self, tokens: Tokens) -> Tensor | None:
        """Return the three position ids of each token, as the class computes them."""
        if not tokens.encoded:
            return None
        found, _ = self.body.get_rope_index(
            tokens.ids,
            mm_token_type_ids=tokens.image.int(),
            image_grid_thw=torch.cat([s.more["grid"] for s in tokens.encoded]).to(self.device),
            attention_mask=tokens.valid.long(),
        )
        return torch.as_tensor(found)

    def tiles(self, image: PreparedImage) -> list[np.ndarray]:
        """Return the image, rebuilt from its patches; merged patches are adjacent in the input."""
        config = self.model.config.vision_config
        blocks, unit, side = self._blocks(image), self.merged, self.patch
        pixels = image.inputs["pixel_values"].float().numpy()
        shape = (*blocks, unit, unit, -1, config.temporal_patch_size, side, side)
        laid = pixels.reshape(shape)[:, :, :, :, :, 0]  # (down, across, u, u, 3, side, side)
        high, wide = (n * unit * side for n in blocks)
        return [laid.transpose(4, 0, 2, 5, 1, 3, 6).reshape(-1, high, wide)]

    def encoder_order(self, patches: np.ndarray, image: PreparedImage) -> np.ndarray:
        """Return patches ordered so that those merged together are adjacent."""
        (down, across), unit = self._blocks(image), self.merged
        return patches.reshape(down, unit, across, unit, 8).swapaxes(1, 2).reshape(-1, 8)

    @property
    def merged(self) -> int:
        """Number of patches along a side that are merged into one image token."""
        return int(self.model.config.vision_config.spatial_merge_size)

    def _blocks(self, image: PreparedImage) -> tuple[int, int]:
        """Return the numbers of merged patches down and across."""
        _, height, width = (int(n) for n in image.inputs["image_grid_thw"][0])
        return height // self.merged, width // self.merged

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid of merged patches."""
        return rectangle(*self._blocks(image))


FAMILY = Qwen2VL
