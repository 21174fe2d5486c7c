"""Molmo2: overlapping crops, whose patches the connector pools by attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isqrt

import numpy as np
import torch
from torch import Tensor

from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage, rectangle
from eyechart.models.families.llava import Llava
from eyechart.models.families.prompts import Row
from eyechart.models.patch_positions import unite
from eyechart.models.spans import Tokens, by_image


class Molmo2(Llava):
    """Molmo2ForConditionalGeneration; features are added to the patch tokens."""

    VISION = "model.vision_tower.layers"
    CONNECTOR = "model.multi_modal_projector.image_projector"
    ADDS_OPENING_TOKEN = True

    @property
    def image_id(self) -> int:
        """Id of the placeholder of one pooled patch."""
        return int(self.model.config.image_patch_id)

    def read_states(self) -> list[int]:
        """Return the indices of the hidden states that are joined; 0 is the first block's input."""
        return [n + 1 if n >= 0 else n for n in self.read_blocks()]

    def read_blocks(self) -> list[int]:
        """Return the blocks whose outputs are joined and read by the connector."""
        return list(self.model.config.adapter_config.vision_feature_layer)

    def rows(self, inputs: dict[str, Tensor]) -> int:
        """Return the number of crops."""
        return int(inputs["pixel_values"].shape[0])

    def leading(self, component: str) -> int:
        """Return 0, since there is no class token."""
        return 0

    def batch_inputs(self, images: Sequence[PreparedImage]) -> dict[str, Tensor]:
        """Return the batch of images; pooling indices count across all of them."""
        found = super().batch_inputs(images)
        per_crop = found["pixel_values"].shape[1]
        firsts = np.cumsum([0, *(p.rows * per_crop for p in images[:-1])])
        pooled = [p.inputs["image_token_pooling"] for p in images]
        moved = [torch.where(p >= 0, p + int(f), p) for p, f in zip(pooled, firsts, strict=True)]
        found["image_token_pooling"] = torch.cat(moved).to(self.device)
        found.pop("image_num_crops", None)
        return found

    def layout(
        self, component: str, hidden: Tensor, images: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Lay out crops, or pooled patches, by image."""
        if component == "vision":
            return super().layout(component, hidden, images)
        hidden, valid = by_image(hidden, [len(p.inputs["image_token_pooling"]) for p in images])
        return hidden, {"image_mean": valid, "image_tokens": valid}

    def tokens(self, rows: Sequence[Row], encoded: Sequence[EncodedImage] = ()) -> Tokens:
        """Pad prompts and mark the tokens of images, which attend to one another."""
        found = super().tokens(rows, encoded)
        if not encoded:
            return found
        marks = torch.tensor(sorted(self.image_marker_ids()), device=self.device)
        of_image = torch.isin(found.ids, marks) & found.valid
        return replace(found, inputs={"mm_token_type_ids": of_image.long()})

    def tiles(self, image: PreparedImage) -> list[np.ndarray]:
        """Return each crop as an image, rebuilt from its patches."""
        pixels = image.inputs["pixel_values"].float().numpy()  # (crops, patches, colours)
        side, n = self.patch, isqrt(pixels.shape[1])
        laid = pixels.reshape(-1, n, n, side, side, 3).transpose(0, 5, 1, 3, 2, 4)
        return list(laid.reshape(-1, 3, n * side, n * side))

    def output_boxes(self, patches: np.ndarray, image: PreparedImage, component: str) -> np.ndarray:
        """Return the joint box of the patches pooled into each token."""
        pooled = image.inputs["image_token_pooling"].numpy()  # (t, k), negative if none
        areas = np.where((pooled >= 0)[:, :, None], patches[pooled, 3:], np.nan)
        return np.concatenate([self.grid(image), unite(areas)], axis=1)

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid of the whole image, then the joined grid of its crops."""
        low_h, low_w, high_h, high_w = (int(n) for n in image.inputs["image_grids"][0])
        return np.concatenate([rectangle(low_h, low_w), rectangle(high_h, high_w, 1)])


FAMILY = Molmo2
