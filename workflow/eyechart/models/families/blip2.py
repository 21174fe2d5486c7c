"""BLIP-2: learned queries attend to the image; the language model reads their outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.families.prompts import Row
from eyechart.models.spans import Tokens


class Blip2(LanguageAdapter):
    """Blip2ForConditionalGeneration with OPT, or with T5, whose encoder is then ``lm``."""

    MODEL = "Blip2ForConditionalGeneration"
    BODY = ""
    VISION = "vision_model.encoder.layers"
    CONNECTOR = "language_projection"
    RESAMPLER = "qformer.encoder.layer"
    LEADING = 1
    CAUSAL = False  # no sharing: OPT counts positions by its mask, T5's encoder is bidirectional
    ACCEPTS_TEXT_ONLY = False
    MAX_IMAGES_PER_PROMPT = 1
    FEATURES_AS_LIST = False
    ROOTS: ClassVar = {"vision": "vision_model", "connector": "", "lm": "language_model"}

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether the language model is an encoder and a decoder, where the latter answers."""
        return not self.model.config.use_decoder_only_language_model

    @property
    def image_id(self) -> int:
        """Id of the token that is replaced by a query's output."""
        return int(self.model.config.image_token_index)

    @property
    def mark(self) -> str:
        """Text placeholder for one query."""
        return str(self.tokenizer.convert_ids_to_tokens(self.image_id))

    def addresses(self) -> dict[str, str]:
        """Return the addresses of encoder, queries, connector, language model and any decoder."""
        eye = {**self.blocks("vision", self.VISION), **self.blocks("connector", self.RESAMPLER)}
        eye["connector"] = str(self.CONNECTOR)
        reader = "language_model.encoder" if self.is_encoder_decoder else self.decoder
        lists = f"{reader}.block" if self.is_encoder_decoder else f"{reader}.layers"
        found = {**eye, **self.blocks("lm", lists), "lm.norm": f"{reader}.{self.norm}"}
        if self.is_encoder_decoder:
            found |= self.blocks("decoder", "language_model.decoder.block")
            found["decoder.norm"] = "language_model.decoder.final_layer_norm"
        return found

    @property
    def decoder(self) -> str:
        """Module path of the body of a decoder-only language model."""
        model = self.model.language_model.model
        return "language_model.model" + (".decoder" if hasattr(model, "decoder") else "")

    def mask_argument(self, address: str) -> tuple[str, bool]:
        """Return a block's mask argument; for a decoder, the cross-attention's mask argument."""
        name, causal = super().mask_argument(address)
        if not self.is_encoder_decoder:
            return name, causal
        return ("encoder_" if address.startswith("decoder.") else "") + name, False

    @property
    def norm(self) -> str:
        """Name of the final norm in the language model's body."""
        return "final_layer_norm" if hasattr(self._reader(), "final_layer_norm") else "norm"

    def _reader(self) -> Any:
        path = "language_model.encoder" if self.is_encoder_decoder else self.decoder
        return self.model.get_submodule(path)

    def component_of(self, path: str) -> str | None:
        """Return the component that a module belongs to; a decoder is a component of its own."""
        if path.startswith("language_model.decoder."):
            return "decoder" if self.is_encoder_decoder else "lm"
        if path.startswith(("qformer", "language_projection", "query")):
            return "connector"
        return next((r for r in ("vision", "lm") if path.startswith(self.ROOTS[r])), None)

    def spans(self, component: str) -> tuple[str, ...]:
        """Return the spans of a component; a decoder has only its start token."""
        return ("last",) if component == "decoder" else super().spans(component)

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Preprocess one image; each query covers the whole image."""
        inputs = dict(self.processor.image_processor(images=[image], return_tensors="pt"))
        return PreparedImage(inputs, self.mark * int(self.model.config.num_query_tokens))

    def turn(self, prompt: str, images: int) -> str:
        """Return the prompt in the model's training format."""
        pattern = self.spec.turn or "{images}{question}"
        return pattern.format(images=self.mark * images, question=prompt)

    def encoder_output(self, tokens: Tokens) -> Any:
        """Return the query outputs in the format that the class's own encoder returns."""
        features = torch.stack([s.features for s in tokens.encoded])
        return SimpleNamespace(pooler_output=features, qformer_outputs=None, vision_outputs=None)

    def masks(self, tokens: Tokens) -> dict[str, Tensor]:
        """Return the masks of spans; shorter questions are padded after the queries."""
        return super().masks(tokens)

    def tokens(self, rows: Sequence[Row], encoded: Sequence[EncodedImage] = ()) -> Tokens:
        """Pad prompts into one batch; a decoder's input begins with its start token."""
        found = super().tokens(rows, encoded)
        found.inputs["pixel_values"] = None  # a required argument of the class
        if self.is_encoder_decoder:
            begun = [row.inputs.get("begun", []) for row in rows]
            found.inputs.update(self.answers_begun(begun))
        return found

    def answers_begun(self, begun: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Return the decoder's input: its start token and the answer tokens so far."""
        start = int(self.text_config.decoder_start_token_id or 0)
        longest = max(len(b) for b in begun)
        rows = [[start, *b, *[0] * (longest - len(b))] for b in begun]
        return {"decoder_input_ids": torch.tensor(rows, device=self.device)}

    def answer_ids(self, row: Row, text: str) -> list[int]:
        """Return the token ids of an answer; a decoder starts a new text."""
        return self.plain_ids(text) if self.is_encoder_decoder else super().answer_ids(row, text)

    def logits(
        self, rows: Sequence[Row], encoded: Sequence[EncodedImage], begun: Sequence[Sequence[int]]
    ) -> list[Tensor]:
        """Return next-token logits; a decoder gets the answer separately from the prompt."""
        given = [
            Row(r.ids, {**r.inputs, "begun": list(b)})
            if self.is_encoder_decoder
            else replace(r, ids=[*r.ids, *b])
            for r, b in zip(rows, begun, strict=True)
        ]
        found = self.read(self.tokens(given, encoded), logits=True)
        starts = [0 if self.is_encoder_decoder else len(r.ids) - 1 for r in rows]
        counts = [len(b) + 1 for b in begun]
        return [s[a : a + n] for s, a, n in zip(found, starts, counts, strict=True)]

    def grid(self, image: PreparedImage) -> np.ndarray:
        """Return one row per query; a query has no position in the image."""
        return np.full((int(self.model.config.num_query_tokens), 3), [0, -1, -1])


FAMILY = Blip2
