"""SmolVLM: an image is encoded as tiles and whole, and the connector merges patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from eyechart.models.families.image_tokens import PreparedImage, square
from eyechart.models.families.language import LanguageAdapter


class SmolVLM(LanguageAdapter):
    """SmolVLMForConditionalGeneration."""

    VISION = "model.vision_model.encoder.layers"
    CONNECTOR = "model.connector"
    LM = "model.text_model.layers"
    NORM = "model.text_model.norm"
    ROOTS: ClassVar = {
        "vision": "model.vision_model",
        "connector": "model.connector",
        "lm": "model.text_model",
    }

    def rows(self, inputs: dict[str, Tensor]) -> int:
        """Return the number of tiles, the whole image included."""
        return int(inputs["pixel_values"].shape[1])

    def batch_inputs(self, images: Sequence[PreparedImage]) -> dict[str, Tensor]:
        """Return images padded to the same number of tiles; the class drops tiles of zeros."""
        most = max(p.rows for p in images)
        names = ("pixel_values", "pixel_attention_mask")
        padded = [
            {n: torch.nn.functional.pad(p.inputs[n], _behind(p.inputs[n], most)) for n in names}
            for p in images
        ]
        return super().batch_inputs([PreparedImage(inputs) for inputs in padded])

    @property
    def merged(self) -> int:
        """Number of patches along a side that are merged into one image token."""
        return int(self.model.config.scale_factor)

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid of each tile in order, with the whole image last."""
        return square(self.tokens_per_tile() // self.merged**2, image.rows)


def _behind(tiles: Tensor, most: int) -> tuple[int, ...]:
    """Return the padding that appends tiles on the second axis."""
    return (*[0, 0] * (tiles.ndim - 2), 0, most - tiles.shape[1])


FAMILY = SmolVLM
