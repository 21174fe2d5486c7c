"""InternLM-XComposer 2.5: 560-pixel tiles; adapters in the language model for image tokens."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers.dynamic_module_utils import get_class_from_dynamic_module

from eyechart.core.errors import UserError
from eyechart.core.files import read_json
from eyechart.models.checkpoint import load_model
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage, rectangle
from eyechart.models.families.prompts import Row
from eyechart.models.families.remote import EDGE, IMAGE, RemoteAdapter
from eyechart.models.load_options import LoadOptions
from eyechart.models.patch_positions import stitch
from eyechart.models.spans import Tokens
from eyechart.models.spec import Spec

TILE = 560  # pixels
SIDE = 20  # image tokens along a tile: 14-pixel patches, merged 2 x 2
TILES = 24  # maximum, as in the model's own chat for one image
MARK = "<ImageHere>"
TURN = "{images}[UNUSED_TOKEN_146]user\n{question}[UNUSED_TOKEN_145]\n[UNUSED_TOKEN_146]assistant\n"


class InternLMXComposer(RemoteAdapter):
    """InternLMXComposer2ForCausalLM; images are encoded one by one.

    Learned line ends and a separator pass through the connector with the patches; they are part of
    the prompt but are not image tokens. There is one image per prompt, since the model's own chat
    uses fewer tiles for several. The model's code would download a font for videos when a model is
    created; this is disabled.
    """

    MODEL = "AutoModelForCausalLM"
    VISION = "vit.vision_tower.vision_model.encoder.layers"
    CONNECTOR = "vision_proj"
    BODY = "model"
    HEAD = "output"
    LM = "model.layers"
    NORM = "model.norm"
    LEADING = 1
    MAX_IMAGES_PER_PASS = 1
    ENDS = ("[UNUSED_TOKEN_145]",)
    OLDEST = (4, 44)
    NEWEST = (4, 57)
    STAND_INS: ClassVar = {"decord": {"VideoReader": None}}
    ROOTS: ClassVar = {"vision": "vit", "connector": "vision_proj", "lm": "model"}

    @classmethod
    def companions(cls, folder: Path) -> tuple[str, ...]:
        """Return the encoder's repository."""
        return ("internlm/internlm-xcomposer2d5-clip",)

    @classmethod
    def load_weights(
        cls, folder: Path, home: Path, spec: Spec, loading: LoadOptions, processor: Any
    ) -> tuple[Any, torch.device]:
        """Load the model with eager attention by default, so compiled attention is not needed."""
        reference = read_json(folder / "config.json")["auto_map"][cls.MODEL]
        made = get_class_from_dynamic_module(reference, str(folder))
        code: Any = sys.modules[made.__module__]
        code.get_font = lambda: None
        kind = loading.attention or spec.attention or "eager"
        options = replace(loading, attention=kind)
        model, device = load_model(made, folder, spec, options, cls.UNUSED)
        model.tokenizer = processor
        return model, device

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Scale one RGB image to a whole number of tiles."""
        code: Any = sys.modules[type(self.model).__module__]
        pixels = self.model.vis_processor(code.Image_transform(image, hd_num=TILES))[None]
        high, wide = (int(n) // TILE for n in pixels.shape[-2:])
        return PreparedImage({"pixels": pixels}, rows=1 + high * wide)

    def read_states(self) -> int:
        """Return the index of the hidden state that the connector reads."""
        return int(self.model.vit.select_layer)

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder and connector."""
        rows = self.model.img2emb(self.batch_inputs(images)["pixels"])[0][0]
        return [EncodedImage(rows[self._patches(images[0]).to(rows.device)], {"written": rows})]

    def layout(
        self, component: str, hidden: Tensor, images: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Lay out one image; after the connector, the learned rows belong to no span."""
        if component == "vision":
            return super().layout(component, hidden, images)
        patches = self._patches(images[0]).to(hidden.device)[None]
        return hidden, dict.fromkeys(self.spans(component), patches)

    def row(self, prompt: str, images: Sequence[PreparedImage]) -> Row:
        """Return the tokens of the image, then those of the user's turn."""
        self.check_number(prompt, len(images))
        text = (self.spec.turn or TURN).format(images=MARK * len(images), question=prompt)
        first, *rest = text.split(MARK)
        if len(rest) != len(images):
            raise UserError(f"prompt {prompt!r} contains {MARK!r}, the placeholder of an image")
        ids = list(self.tokenizer(first, add_special_tokens=True)["input_ids"])
        for image, words in zip(images, rest, strict=True):
            ids += [IMAGE if patch else EDGE for patch in self._patches(image).tolist()]
            ids += self.tokenizer(words, add_special_tokens=False)["input_ids"] if words else []
        self.check_length(prompt, len(ids))
        return Row(ids)

    def extra_inputs(self, tokens: Tokens) -> dict[str, Any]:
        """Return the mask of tokens that the image adapters apply to."""
        return {"im_mask": tokens.ids < 0}

    def tiles(self, image: PreparedImage) -> list[np.ndarray]:
        """Return the whole image and its tiles, as the encoder's own code cuts them."""
        pixels = image.inputs["pixels"].float()
        whole = torch.nn.functional.interpolate(pixels, size=(TILE, TILE), mode="bicubic")
        high, wide = self._tiles(image)
        cut = pixels.reshape(3, high, TILE, wide, TILE).permute(1, 3, 0, 2, 4)
        return list(torch.cat([whole, cut.reshape(-1, 3, TILE, TILE)]).numpy())

    @property
    def patch(self) -> int:
        """Side of a patch, in pixels of a tile."""
        return TILE // (SIDE * self.merged)

    @property
    def merged(self) -> int:
        """Number of patches along a side that are merged into one image token."""
        return 2

    def grid_views(self, patches: np.ndarray, image: PreparedImage) -> list[np.ndarray]:
        """Return the patches of the whole image, and its tiles' patches joined into one view."""
        whole, *cut = super().grid_views(patches, image)
        return [whole, stitch(cut, self._tiles(image)[1])]

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid of the whole image, then the joined grid of the tiles."""
        high, wide = self._tiles(image)
        return np.concatenate([rectangle(SIDE, SIDE), rectangle(high * SIDE, wide * SIDE, 1)])

    def _tiles(self, image: PreparedImage) -> tuple[int, int]:
        height, width = image.inputs["pixels"].shape[-2:]
        return height // TILE, width // TILE

    def _patches(self, image: PreparedImage) -> Tensor:
        """Return which rows of an image are patches; lines and the first view have end rows."""
        high, wide = self._tiles(image)
        line, long = [True] * SIDE, [True] * (SIDE * wide)
        lines = [*line, False] * SIDE + [False] + [*long, False] * (SIDE * high)
        return torch.tensor(lines)


FAMILY = InternLMXComposer
