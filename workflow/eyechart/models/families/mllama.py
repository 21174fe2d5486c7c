"""Llama 3.2 Vision: text attends to the image by cross-attention; there are no image tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers.models.mllama.processing_mllama import (
    convert_sparse_cross_attention_mask_to_dense,
    get_cross_attention_token_mask,
)

from eyechart.core.errors import UserError
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.llava import Llava
from eyechart.models.families.prompts import Row
from eyechart.models.spans import Tokens


class Mllama(Llava):
    """MllamaForConditionalGeneration.

    The numbering of the encoder's blocks continues into its global blocks. The language model has
    no image tokens to pool, since image information is in the text tokens. The model skips blocks
    with cross-attention if there is no image, so prompts without one are refused.
    """

    VISION = "model.vision_model.transformer.layers"
    GLOBAL = "model.vision_model.global_transformer.layers"
    CAUSAL = False  # the image's keys and values are not a prefix
    ACCEPTS_TEXT_ONLY = False
    ADDS_OPENING_TOKEN = True
    ROOTS = {**Llava.ROOTS, "vision": "model.vision_model"}  # noqa: RUF012

    def addresses(self) -> dict[str, str]:
        """Return the module path of every address; global blocks follow the local ones."""
        found = super().addresses()
        first = len(self.model.get_submodule(self.VISION))
        count = len(self.model.get_submodule(self.GLOBAL))
        later = {f"vision.{first + i}": f"{self.GLOBAL}.{i}" for i in range(count)}
        eye = {a: p for a, p in found.items() if a.startswith("vision.")}
        return {**eye, **later, **found}

    def read_blocks(self) -> list[int]:
        """Return the local blocks named in the configuration, and the last global block."""
        return [*self.model.config.vision_config.intermediate_layers_indices, -1]

    def mask_argument(self, address: str) -> tuple[str, bool]:
        """Return the mask's argument; the keys of cross-attention blocks are not tokens."""
        found = super().mask_argument(address)
        if int(address.partition(".")[2]) in self.text_config.cross_attention_layers:
            raise UserError(
                f"{address}: this block of family {self.spec.family} attends to the image by "
                "cross-attention, and no token of the prompt represents it, so it cannot be cut"
            )
        return found

    def leading(self, component: str) -> int:
        """Return 1 for the class token, which the connector keeps."""
        return 1

    def spans(self, component: str) -> tuple[str, ...]:
        """Return the spans of a component's addresses."""
        return ("text_mean", "last", "all_mean") if component == "lm" else super().spans(component)

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Preprocess one RGB image."""
        inputs = dict(self.processor.image_processor(images=[[image]], return_tensors="pt"))
        tiles = int(np.asarray(inputs.pop("num_tiles"))[0][0])
        return PreparedImage(inputs, self.mark, tiles)

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder and connector; keep padding tiles, because the masks include them."""
        states = self.body.vision_model(**self.batch_inputs(images)).last_hidden_state
        states = self.body.multi_modal_projector(states)[:, 0]  # (b, tiles, patches, d)
        return [
            EncodedImage(own.flatten(0, 1), {"tiles": p.rows})
            for own, p in zip(states, images, strict=True)
        ]

    def layout(
        self, component: str, hidden: Any, images: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Lay out images without padding tiles or patches that pad to a multiple of eight."""
        most = int(self.model.config.vision_config.max_num_tiles)
        tiles = hidden.reshape(len(images), most, -1, hidden.shape[-1])
        tiles = tiles[:, :, : self.tokens_per_tile() + 1]
        own = [t[: p.rows] for t, p in zip(tiles, images, strict=True)]
        return super().layout(component, torch.cat(own), images)

    def tokens(self, rows: Sequence[Row], encoded: Sequence[EncodedImage] = ()) -> Tokens:
        """Pad prompts; each token attends to the images before it, up to the next image."""
        found = super().tokens(rows, encoded)
        nothing = torch.zeros_like(found.image)
        if not encoded:
            return replace(found, image=nothing)
        left = list(encoded)
        own = [[left.pop(0) for i in row.ids if i == self.image_id] for row in rows]
        mask = convert_sparse_cross_attention_mask_to_dense(
            [get_cross_attention_token_mask(row.ids, self.image_id) for row in rows],
            [[s.more["tiles"] for s in some] for some in own],
            int(self.model.config.vision_config.max_num_tiles),
            found.ids.shape[1],
        )
        states = torch.nn.utils.rnn.pad_sequence(
            [torch.cat([s.features for s in some]) for some in own], batch_first=True
        )
        inputs = {
            "cross_attention_states": states,
            "cross_attention_mask": torch.as_tensor(mask, device=self.device),
        }
        return replace(found, image=nothing, encoded=(), inputs=inputs)

    def output_boxes(self, patches: np.ndarray, image: PreparedImage, component: str) -> np.ndarray:
        """Return the boxes of the connector's rows, which are patches; text tokens have none."""
        return patches if component == "connector" else patches[:0]

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return an empty grid: the prompt has no image tokens."""
        return np.zeros((0, 3), dtype=np.int64)


FAMILY = Mllama
