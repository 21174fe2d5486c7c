"""Pixtral: images of any size, whose patches pass through the encoder packed in one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from eyechart.models.families.image_tokens import PreparedImage, rectangle
from eyechart.models.families.llava import Llava


class Pixtral(Llava):
    """LlavaForConditionalGeneration around a PixtralVisionModel."""

    VISION = "model.vision_tower.transformer.layers"
    PACKED: ClassVar[bool] = True

    def shape(self, inputs: dict[str, Tensor]) -> tuple[int, int]:
        """Return the height and width of an image in patches."""
        patch = self.model.config.vision_config.patch_size
        height, width = (int(pixels) // patch for pixels in inputs["image_sizes"][0])
        return height, width

    def rows(self, inputs: dict[str, Tensor]) -> int:
        """Return the number of patches."""
        height, width = self.shape(inputs)
        return height * width

    def batch_inputs(self, images: Sequence[PreparedImage]) -> dict[str, Tensor]:
        """Return images padded to the largest; the encoder ignores the padding."""
        sizes = [p.inputs["pixel_values"].shape[2:] for p in images]
        height, width = max(s[0] for s in sizes), max(s[1] for s in sizes)
        padded = [
            torch.nn.functional.pad(
                p.inputs["pixel_values"], (0, width - size[1], 0, height - size[0])
            )
            for p, size in zip(images, sizes, strict=True)
        ]
        same = [
            PreparedImage({**p.inputs, "pixel_values": pixels}, p.text, p.rows)
            for p, pixels in zip(images, padded, strict=True)
        ]
        return super().batch_inputs(same)

    def tiles(self, image: PreparedImage) -> list[np.ndarray]:
        """Return the image as the encoder sees it."""
        return list(image.inputs[self.PIXELS].float().numpy())

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid of the patches; line ends are not image tokens."""
        return rectangle(*self.shape(image.inputs))


FAMILY = Pixtral
