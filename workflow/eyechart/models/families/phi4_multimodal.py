"""Phi-4 multimodal: crops of 448 pixels, learned line ends, no input for image features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage, rectangle
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.families.prompts import Row
from eyechart.models.patch_positions import stitch
from eyechart.models.spans import Tokens

CROP = 448  # pixels


class Phi4Multimodal(LanguageAdapter):
    """Phi4MultimodalForCausalLM; images are encoded one by one."""

    MODEL = "Phi4MultimodalForCausalLM"
    VISION = "model.embed_tokens_extend.image_embed.img_processor.encoder.layers"
    CONNECTOR = "model.embed_tokens_extend.image_embed.img_projection_down"
    LM = "model.layers"
    NORM = "model.norm"
    MAX_IMAGES_PER_PASS = 1
    PIXELS = "image_pixel_values"
    ROOTS: ClassVar = {
        "vision": "model.embed_tokens_extend.image_embed.img_processor",
        "connector": "model.embed_tokens_extend.image_embed.img_projection",
        "lm": "model",
    }

    def read_states(self) -> int:
        """Return the index of the hidden state that the connector reads."""
        return int(self.model.config.vision_config.feature_layer)

    @property
    def image_id(self) -> int:
        """Id of the token that is replaced by image features."""
        return int(self.model.config.vision_config.image_token_id)

    def component_of(self, path: str) -> str | None:
        """Return the component that a module belongs to; the audio branch has none."""
        if path.startswith("model.embed_tokens_extend."):
            names = ("vision", "connector")
            return next((n for n in names if path.startswith(self.ROOTS[n])), None)
        return super().component_of(path)

    def rows(self, inputs: dict[str, Tensor]) -> int:
        """Return the number of crops, the whole image included."""
        return int(inputs["image_pixel_values"].shape[1])

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Return the features that replace the placeholder tokens of each image."""
        return [EncodedImage(self._embed_image(image)) for image in images]

    def _embed_image(self, image: PreparedImage) -> Tensor:
        ids = torch.full((1, image.text.count(self.mark)), self.image_id, device=self.device)
        embedded = self.body.embed_tokens(ids)
        laid: Tensor = self.body.embed_tokens_extend(ids, embedded, **self.batch_inputs([image]))
        return laid[0]

    def layout(
        self, component: str, hidden: Tensor, images: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Lay out one image, which is a single row after the connector."""
        if component == "connector":
            images = [PreparedImage({}, rows=1)]
        return super().layout(component, hidden, images)

    def tokens(self, rows: Sequence[Row], encoded: Sequence[EncodedImage] = ()) -> Tokens:
        """Embed the prompts and insert the image features."""
        found = super().tokens(rows, encoded)
        embedded = self.body.embed_tokens(found.ids)
        if encoded:
            filled = torch.cat([s.features for s in encoded])
            embedded = embedded.masked_scatter(found.image[:, :, None], filled.to(embedded.dtype))
        return replace(found, inputs={"inputs_embeds": embedded, "input_ids": None}, encoded=())

    @property
    def merged(self) -> int:
        """Number of patches along a side that are merged into one image token."""
        return 2

    def grid_views(self, patches: np.ndarray, image: PreparedImage) -> list[np.ndarray]:
        """Return the patches of the whole image, and its crops' patches joined into one view."""
        whole, *crops = super().grid_views(patches, image)
        wide = int(image.inputs["image_sizes"][0, 1]) // CROP
        return [whole, stitch(crops, wide)]

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid of the joined crops with line ends, a separator, and the whole image."""
        side = CROP // self.patch // self.merged
        height, width = self._useful(image, side)
        ends = [_with_ends(rectangle(height, width, 1), width)]
        whole = _with_ends(rectangle(side, side, 0), side)
        return np.concatenate([*ends, np.array([[0, -1, -1]]), whole])

    def _useful(self, image: PreparedImage, side: int) -> tuple[int, int]:
        mask: Any = image.inputs["image_attention_mask"][0, 1:, ::2, ::2].numpy()
        high, wide = (int(n) // CROP for n in image.inputs["image_sizes"][0])
        joined = mask[: high * wide].reshape(high, wide, side, side).swapaxes(1, 2)
        joined = joined.reshape(high * side, wide * side)
        return int(joined[:, 0].sum()), int(joined[0, :].sum())


def _with_ends(grid: np.ndarray, width: int) -> np.ndarray:
    """Return a grid with an end token, at row and column -1, after each line."""
    lines = grid.reshape(-1, width, 3)
    ends = np.full((len(lines), 1, 3), -1)
    ends[:, :, 0] = grid[0, 0]
    return np.concatenate([lines, ends], axis=1).reshape(-1, 3)


FAMILY = Phi4Multimodal
