"""MiniCPM-o 2.6: slices of any shape in a padded batch, each resampled by learned queries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.models.checkpoint import load_model
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.prompts import Row
from eyechart.models.families.remote import IMAGE, RemoteAdapter
from eyechart.models.limits import rendered
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import Spec

MARK = "(<image>./</image>)"


class MiniCPMO(RemoteAdapter):
    """MiniCPMO without its audio and speech modules; images are encoded one by one.

    The code runs the encoder once per 16 slices and the connector once, so with one image at a time
    both run once.
    """

    VISION = "vpm.encoder.layers"
    CONNECTOR = "resampler"
    BODY = "llm.model"
    HEAD = "llm.lm_head"
    LM = "llm.model.layers"
    NORM = "llm.model.norm"
    MAX_IMAGES_PER_PROMPT = 0
    MAX_IMAGES_PER_PASS = 1
    ENDS = ("<|im_end|>", "<|endoftext|>")
    OLDEST = (4, 44)
    NEWEST = (4, 48)
    TOKENIZER_ONLY = False
    UNUSED = ("apm.", "audio_projection_layer.", "tts.")
    STAND_INS: ClassVar = {"torchaudio": {}, "soundfile": {}}
    ROOTS: ClassVar = {"vision": "vpm", "connector": "resampler", "lm": "llm"}

    @classmethod
    def load_weights(
        cls, folder: Path, home: Path, spec: Spec, loading: LoadOptions, processor: Any
    ) -> tuple[Any, torch.device]:
        """Load the model without its audio modules."""
        silent = {"init_audio": False, "init_tts": False}
        return load_model(cls.model_class(), folder, spec, loading, cls.UNUSED, **silent)

    def image_marker_ids(self) -> set[int]:
        """Return the ids of all tokens that only images use: placeholders and delimiters."""
        marks = [
            getattr(self.tokenizer, f"{a}_{b}") for a in ("im", "slice", "im_id") for b in _ENDS
        ]
        return {IMAGE, *self.tokenizer.convert_tokens_to_ids(marks)}

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Cut one RGB image into slices."""
        found = self.processor.image_processor([[image]], return_tensors="pt")
        slices, sizes = found["pixel_values"][0], found["tgt_sizes"][0]
        inputs = {str(n): part for n, part in enumerate(slices)}
        inputs |= {"sizes": torch.as_tensor(sizes), "whole": torch.tensor(image.size)}
        return PreparedImage(inputs, rows=len(slices))

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder and connector over the slices of an image."""
        (image,) = images
        slices = [image.inputs[str(n)] for n in range(image.rows)]
        request = {
            "pixel_values": [[s.to(self.device, self.dtype) for s in slices]],
            "tgt_sizes": [image.inputs["sizes"].to(self.device)],
            "input_ids": torch.zeros(1, 1, dtype=torch.long, device=self.device),
            "image_bound": [[]],  # a prompt of one token, without a position for the image
        }
        _, found = self.model.get_vllm_embedding(request)
        return [EncodedImage(found[0].flatten(0, 1))]  # from (slices, queries, d)

    def layout(
        self, component: str, hidden: Tensor, images: Sequence[PreparedImage]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Lay out slices, without the padding of the smaller ones."""
        tiles = list(hidden)
        if component == "vision":
            counts = images[0].inputs["sizes"].prod(dim=1).tolist()
            tiles = [tile[:count] for tile, count in zip(tiles, counts, strict=True)]
        return self.pad_tiles(component, tiles, images)

    def row(self, prompt: str, images: Sequence[PreparedImage]) -> Row:
        """Return the user's turn, images first."""
        self.check_number(prompt, len(images))
        text = self.written(prompt, len(images))
        pieces = text.split(MARK)
        if len(pieces) != len(images) + 1:
            raise UserError(f"prompt {prompt!r} contains {MARK!r}, the placeholder of an image")
        shown = [self.image_text(p, n, len(images)) for n, p in enumerate(images)]
        filled = [a + b for a, b in zip(shown, pieces[1:], strict=True)]
        ids = list(self.tokenizer.encode(pieces[0] + "".join(filled)))
        opening = self.tokenizer.convert_tokens_to_ids(["<image>", "<slice>"])
        starts = [n + 1 for n, i in enumerate(ids) if i in opening]
        if len(starts) != sum(p.rows for p in images):
            raise UserError(f"prompt {prompt!r} contains a token that starts an image")
        queries = int(self.model.config.query_num)
        for start in starts:
            ids[start : start + queries] = [IMAGE] * queries
        self.check_length(prompt, len(ids))
        return Row(ids)

    def turn(self, prompt: str, images: int) -> str:
        """Return one user turn in the model's own chat format, with a line per image."""
        if self.spec.turn is not None:
            return self.spec.turn.format(images=MARK * images, question=prompt)
        content = "\n".join([*[MARK] * images, prompt])
        return rendered(
            self.spec.checkpoint,
            lambda: self.tokenizer.apply_chat_template(
                [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
            ),
        )

    def image_text(self, image: PreparedImage, number: int, of: int) -> str:
        """Return an image's placeholder text: its number, and the queries of its slices."""
        size = tuple(image.inputs["whole"].tolist())
        return str(self.processor.image_processor.get_slice_image_placeholder(size, number))

    def tiles(self, image: PreparedImage) -> list[np.ndarray]:
        """Return each slice as an image, rebuilt from its patches."""
        found, side = [], self.patch
        for n, (high, wide) in enumerate(image.inputs["sizes"].tolist()):
            part = image.inputs[str(n)].float().numpy()  # (3, side, patches x side)
            laid = part.reshape(3, side, high, wide, side).swapaxes(1, 2)
            found.append(laid.reshape(3, high * side, wide * side))
        return found

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return one row per query; a query has no position in its slice."""
        queries = int(self.model.config.query_num)
        return np.array([[n, -1, -1] for n in range(image.rows) for _ in range(queries)])


_ENDS = ("start", "end")
FAMILY = MiniCPMO
