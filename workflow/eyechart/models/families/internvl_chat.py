"""InternVL 2.5 in its original repositories: tiles, merged to a quarter of their patches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from eyechart.models.checkpoint import load_model
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage, square
from eyechart.models.families.prompts import Row
from eyechart.models.families.remote import IMAGE, RemoteAdapter
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import Spec

OPENS, PATCH, CLOSES = "<img>", "<IMG_CONTEXT>", "</img>"


class InternVLChat(RemoteAdapter):
    """InternVLChatModel, with InternLM2 or Qwen2.

    The code that tiles an image is only in the model card, so it is reimplemented here with the
    values of the configuration. If a prompt has several images, they are numbered.
    """

    VISION = "vision_model.encoder.layers"
    CONNECTOR = "mlp1"
    BODY = "language_model.model"
    LM = "language_model.model.layers"
    NORM = "language_model.model.norm"
    LEADING = 1
    ENDS = ("<|im_end|>",)
    MAX_IMAGES_PER_PROMPT = 0
    OLDEST = (4, 37)
    NEWEST = (4, 48)
    ROOTS: ClassVar = {"vision": "vision_model", "connector": "mlp1", "lm": "language_model"}

    @classmethod
    def load_weights(
        cls, folder: Path, home: Path, spec: Spec, loading: LoadOptions, processor: Any
    ) -> tuple[Any, torch.device]:
        """Load the model; use compiled attention only if requested, not whenever available."""
        kind = loading.attention or spec.attention
        compiled = {"use_flash_attn": kind == "flash_attention_2"}
        return load_model(cls.model_class(), folder, spec, loading, cls.UNUSED, **compiled)

    @property
    def text_config(self) -> Any:
        """Configuration of the language model."""
        return self.model.config.llm_config

    def image_marker_ids(self) -> set[int]:
        """Return the ids of all tokens that only images use: placeholders and delimiters."""
        return {IMAGE, *self.tokenizer.convert_tokens_to_ids([OPENS, PATCH, CLOSES])}

    def tokens_per_tile(self) -> int:
        """Return the number of image tokens per tile in the language model."""
        return int(self.model.num_image_token)

    # Images

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Cut one RGB image into tiles and write its placeholder text."""
        tiles = np.stack([np.asarray(tile) for tile in self.cut(image)])
        colours = torch.tensor(tiles).permute(0, 3, 1, 2).float() / 255
        mean, deviation = (
            torch.tensor(x)[:, None, None] for x in (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)
        )
        text = OPENS + PATCH * (self.tokens_per_tile() * len(tiles)) + CLOSES
        return PreparedImage({"pixel_values": (colours - mean) / deviation}, text, rows=len(tiles))

    def cut(self, image: Image.Image) -> list[Image.Image]:
        """Return the tiles of an image, row by row, then the thumbnail if there are several."""
        config = self.model.config
        side = int(config.force_image_size or config.vision_config.image_size)
        across, down = 1, 1
        if config.dynamic_image_size:
            least, most = int(config.min_dynamic_patch), int(config.max_dynamic_patch)
            across, down = best_shape(image.size, least, most, side)
        scaled = image.resize((across * side, down * side), Image.Resampling.BICUBIC)
        corners = [(x * side, y * side) for y in range(down) for x in range(across)]
        tiles = [scaled.crop((x, y, x + side, y + side)) for x, y in corners]
        if config.use_thumbnail and len(tiles) > 1:
            tiles.append(image.resize((side, side), Image.Resampling.BICUBIC))
        return tiles

    def read_states(self) -> int:
        """Return the index of the hidden state that the connector reads."""
        return int(self.model.select_layer)

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder and connector over the tiles of all images."""
        found = self.model.extract_feature(self.batch_inputs(images)["pixel_values"])
        return [
            EncodedImage(tiles.flatten(0, 1)) for tiles in found.split([p.rows for p in images])
        ]

    @property
    def merged(self) -> int:
        """Number of patches along a side that are merged into one image token."""
        return round(1 / self.model.config.downsample_ratio)

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return the grid of each tile, in order."""
        return square(self.tokens_per_tile(), image.rows)

    # Prompts

    def row(self, prompt: str, images: Sequence[PreparedImage]) -> Row:
        """Return the tokens of the system prompt and the user's turn, images first."""
        self.check_number(prompt, len(images))
        self.check_marks(prompt, self.tokenizer(prompt)["input_ids"])
        names = [f"Image-{n}: " if len(images) > 1 else "" for n in range(1, len(images) + 1)]
        shown = "".join(f"{name}{p.text}\n" for name, p in zip(names, images, strict=True))
        if self.spec.turn is not None:
            text = self.spec.turn.format(images=shown, question=prompt)
        else:
            talk = self.model.conv_template.copy()
            talk.system_message = self.model.system_message
            talk.append_message(talk.roles[0], shown + prompt)
            talk.append_message(talk.roles[1], None)
            text = talk.get_prompt()
        patch = self.tokenizer.convert_tokens_to_ids(PATCH)
        ids = [IMAGE if i == patch else i for i in self.tokenizer(text)["input_ids"]]
        self.check_length(prompt, len(ids))
        return Row(ids)

    def words(self, ids: Tensor) -> Tensor:
        """Embed token ids."""
        found: Tensor = self.model.language_model.get_input_embeddings()(ids)
        return found

    def score(self, hidden: Tensor) -> Tensor:
        """Return the logits over the full vocabulary, (b, t, vocabulary)."""
        found: Tensor = self.model.language_model.get_output_embeddings()(hidden)
        return found


def best_shape(size: tuple[int, int], least: int, most: int, side: int) -> tuple[int, int]:
    """Return the numbers of tiles across and down whose aspect ratio is closest to the image's.

    Among equally close shapes, such as 1 x 1 and 2 x 2, return the largest with fewer than twice
    as many pixels as the image.
    """
    width, height = size
    counts = range(1, most + 1)
    shapes = [(a, b) for a in counts for b in counts if least <= a * b <= most]
    shapes.sort(key=lambda shape: shape[0] * shape[1])
    apart = [abs(width / height - across / down) for across, down in shapes]
    near = [shape for shape, distance in zip(shapes, apart, strict=True) if distance == min(apart)]
    filled = [(a, b) for a, b in near if width * height > 0.5 * side * side * a * b]
    return (filled or near[:1])[-1]


FAMILY = InternVLChat
