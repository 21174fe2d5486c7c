"""Phi-3.5-vision: crops of 336 pixels joined into one grid, then the whole image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.models.checkpoint import load_model
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage, rectangle
from eyechart.models.families.prompts import Row
from eyechart.models.families.remote import EDGE, IMAGE, RemoteAdapter
from eyechart.models.load_options import LoadOptions
from eyechart.models.patch_positions import stitch
from eyechart.models.spans import Tokens, text_masks
from eyechart.models.spec import Spec

CROP = 336  # pixels
SIDE = 12  # image tokens along a crop: 14-pixel patches, merged 2 x 2
MARK = re.compile(r"<\|image_\d+\|>")
TURN = "<|user|>\n{images}{question}<|end|>\n<|assistant|>\n"


class Phi3V(RemoteAdapter):
    """Phi3VForCausalLM; images are encoded one by one.

    Learned line ends and a separator pass through the connector with the patches; they are part of
    the prompt but are not image tokens. As in the model's own processor, the text after each image
    starts with the BOS token, which counts as part of the image. The language model uses other
    rotary angles for prompts longer than its original context; in a batch, this depends on
    each prompt's own length.
    """

    MODEL = "AutoModelForCausalLM"
    VISION = "model.vision_embed_tokens.img_processor.vision_model.encoder.layers"
    CONNECTOR = "model.vision_embed_tokens.img_projection"
    BODY = "model"
    LM = "model.layers"
    NORM = "model.norm"
    LEADING = 1
    ENDS = ("<|end|>",)
    MAX_IMAGES_PER_PROMPT = 0
    MAX_IMAGES_PER_PASS = 1
    OLDEST = (4, 37)
    NEWEST = (4, 57)
    TOKENIZER_ONLY = False
    ROOTS: ClassVar = {
        "vision": "model.vision_embed_tokens.img_processor",
        "connector": "model.vision_embed_tokens",
        "lm": "model",
    }

    @classmethod
    def load_weights(
        cls, folder: Path, home: Path, spec: Spec, loading: LoadOptions, processor: Any
    ) -> tuple[Any, torch.device]:
        """Load the model with eager attention by default, so compiled attention is not needed."""
        kind = {"_attn_implementation": loading.attention or spec.attention or "eager"}
        return load_model(cls.model_class(), folder, spec, loading, cls.UNUSED, **kind)

    # Images

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Scale one RGB image to a whole number of crops; the whole image comes first."""
        found = self.processor.image_processor(images=[image], return_tensors="pt")
        size = found["image_sizes"]
        high, wide = (int(n) // CROP for n in size[0])
        crops = found["pixel_values"][0, : 1 + high * wide]  # the rest is empty
        return PreparedImage({"pixel_values": crops, "image_sizes": size}, rows=len(crops))

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder and connector."""
        inputs = self.batch_inputs(images)
        eye = self.body.vision_embed_tokens
        crops = eye.get_img_features(inputs["pixel_values"])
        rows = eye.hd_feature_transform(crops[None], images[0].inputs["image_sizes"])
        return [EncodedImage(rows[_patches(images[0]).to(rows.device)], {"written": rows})]

    def layout(
        self, component: str, hidden: Tensor, images: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Lay out one image; after the connector, the learned rows belong to no span."""
        if component == "vision":
            return super().layout(component, hidden, images)
        patches = _patches(images[0]).to(hidden.device)[None]
        return hidden[None], dict.fromkeys(self.spans(component), patches)

    def read_states(self) -> int:
        """Return the index of the hidden state that the connector reads."""
        return int(self.body.vision_embed_tokens.layer_idx)

    @property
    def patch(self) -> int:
        """Side of a patch, in pixels of a tile."""
        return CROP // (SIDE * self.merged)

    @property
    def merged(self) -> int:
        """Number of patches along a side that are merged into one image token."""
        return 2

    def grid_views(self, patches: np.ndarray, image: PreparedImage) -> list[np.ndarray]:
        """Return the patches of the whole image, and its crops' patches joined into one view."""
        whole, *cut = super().grid_views(patches, image)
        return [whole, stitch(cut, _crops(image)[1])]

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the joined grid of the crops, which is view 1, then the whole image's grid."""
        high, wide = _crops(image)
        return np.concatenate([rectangle(high * SIDE, wide * SIDE, 1), rectangle(SIDE, SIDE)])

    # Prompts

    def row(self, prompt: str, images: Sequence[PreparedImage]) -> Row:
        """Return the user's turn, images first."""
        self.check_number(prompt, len(images))
        shown = "".join(f"<|image_{n}|>\n" for n in range(1, len(images) + 1))
        text = (self.spec.turn or TURN).format(images=shown, question=prompt)
        pieces = MARK.split(text)
        if len(pieces) != len(images) + 1:
            raise UserError(
                f"prompt {prompt!r} contains a placeholder such as <|image_1|>, reserved for images"
            )
        ids = list(self.tokenizer(pieces[0])["input_ids"])
        for image, words in zip(images, pieces[1:], strict=True):
            ids += [IMAGE if patch else EDGE for patch in _patches(image).tolist()]
            ids += self.tokenizer(words)["input_ids"]
        self.check_length(prompt, len(ids))
        return Row(ids)

    def masks(self, tokens: Tokens) -> dict[str, Tensor]:
        """Return the masks (b, t) of the language model's spans."""
        marks = tokens.ids < 0
        opening = (tokens.ids == self.tokenizer.bos_token_id) & marks.roll(1, dims=1)
        return text_masks(tokens, marks | opening, self.spec.image_first)

    # Forward passes

    def run(self, embedded: Tensor, tokens: Tokens) -> Tensor:
        """Run the language model on each prompt with the rotary angles for its length."""
        most = int(self.text_config.original_max_position_embeddings)
        short = tokens.valid.sum(dim=1) <= most
        if short.all() or not short.any():
            return super().run(embedded, tokens)
        with self._short_angles(short, most):
            return super().run(embedded, tokens)

    @contextmanager
    def _short_angles(self, short: Tensor, most: int) -> Iterator[None]:
        """Use the rotary angles of short prompts for some prompts of a batch within the block."""

        def turn(module: Any, inputs: Any, output: Any) -> tuple[Tensor, ...]:
            values, places = inputs[:2]
            own = module.forward(values[short], places[short].clamp(max=most - 1), seq_len=most)
            found = [angles.clone() for angles in output]
            for angles, shorter in zip(found, own, strict=True):
                angles[short] = shorter
            return tuple(found)

        with ExitStack() as stack:
            for block in self.model.get_submodule(self.LM):
                handle = block.self_attn.rotary_emb.register_forward_hook(turn)
                stack.callback(handle.remove)
            yield


def _crops(image: PreparedImage) -> tuple[int, int]:
    """Return the numbers of crops down and across."""
    height, width = image.inputs["image_sizes"][0].tolist()
    return height // CROP, width // CROP


def _patches(image: PreparedImage) -> Tensor:
    """Return which rows of an image are patches; lines and the joined crops have end rows."""
    high, wide = _crops(image)
    line, long = [True] * SIDE, [True] * (SIDE * wide)
    return torch.tensor([*long, False] * (SIDE * high) + [False] + [*line, False] * SIDE)


FAMILY = Phi3V
