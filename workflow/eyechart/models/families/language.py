"""Base adapter of families with a language model: tokenized prompts and forward passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
import transformers
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.prompts import PromptAdapter, Row
from eyechart.models.limits import tokenizing
from eyechart.models.spans import Tokens, pad, text_masks

MASKED = ("eager", "sdpa")  # attention implementations that take a mask over queries and keys
IN_TEXT = ("image_mean", "text_mean", "last", "all_mean", "image_tokens")


class LanguageAdapter(PromptAdapter):
    """A loaded vision-language model, as a transformers class.

    The class runs the encoder and connector in ``get_image_features`` and accepts their output as
    ``mm_encoder_outputs``, so each image is encoded once for all its questions.

    Class attributes
    ----------------
    BODY : module path of the model without its head
    LM, NORM : module paths of the list of blocks, and of the final norm
    FEATURES_AS_LIST : whether the features of several images are a list, not one tensor
    """

    MODEL = "AutoModelForImageTextToText"
    BODY: ClassVar[str] = "model"
    LM: ClassVar[str] = "model.language_model.layers"
    NORM: ClassVar[str] = "model.language_model.norm"
    FEATURES_AS_LIST: ClassVar[bool] = True

    @property
    def body(self) -> Any:
        """Model without its head."""
        return self.model.get_submodule(self.BODY)

    def addresses(self) -> dict[str, str]:
        """Return the module path of every address, in execution order."""
        return {**super().addresses(), **self.blocks("lm", self.LM), "lm.norm": self.NORM}

    def spans(self, component: str) -> tuple[str, ...]:
        """Return the spans of a component's addresses, in the order of ``addresses.SPANS``."""
        return IN_TEXT if component == "lm" else super().spans(component)

    def mask_argument(self, address: str) -> tuple[str, bool]:
        """Return the name of a block's attention-mask argument, and whether None means causal.

        Result: the name, and whether tokens of a block with mask None attend to earlier tokens
        only. Raise a UserError if the address is not a block whose tokens attend to the prompt's
        tokens.
        """
        self.module_path(address)
        component, _, number = address.partition(".")
        if component not in ("lm", "decoder") or not number.isdigit():
            raise UserError(f"{address}: attention can only be cut in blocks of the language model")
        kinds = getattr(self.text_config, "layer_types", None) or []
        if component == "lm" and kinds and kinds[int(number)] == "linear_attention":
            raise UserError(
                f"{address}: this block of family {self.spec.family} is recurrent, so there is no "
                "attention to cut"
            )
        return "attention_mask", True

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run the encoder and connector; return the language model's input for each image."""
        found = self.body.get_image_features(**self.batch_inputs(images))
        return [
            EncodedImage(features) for features in self.split_features(found.pooler_output, images)
        ]

    def split_features(self, features: Any, images: Sequence[PreparedImage]) -> list[Tensor]:
        """Return the features of each image (image tokens, d)."""
        if isinstance(features, (list, tuple)):
            return list(features)
        parts = features.split([p.rows for p in images])
        return [part.reshape(-1, part.shape[-1]) for part in parts]

    # Forward passes

    def tokens(self, rows: Sequence[Row], encoded: Sequence[EncodedImage] = ()) -> Tokens:
        """Pad prompts into one batch on the device; ``encoded`` is all their images, in order."""
        ids, valid = pad([row.ids for row in rows], self.tokenizer.pad_token_id or 0)
        image = (ids == self.image_id) & valid
        where = self.device
        return Tokens(ids.to(where), valid.to(where), image.to(where), list(encoded))

    def masks(self, tokens: Tokens) -> dict[str, Tensor]:
        """Return the masks (b, t) of the language model's spans."""
        marks = torch.tensor(sorted(self.image_marker_ids()), device=tokens.ids.device)
        return text_masks(tokens, torch.isin(tokens.ids, marks), self.spec.image_first)

    def positions(self, tokens: Tokens) -> Tensor | None:
        """Return the position ids, (b, t), or (3, b, t) for M-RoPE; None for token indices."""
        return None

    def new_cache(self) -> Any:
        """Return an empty key-value cache."""
        return transformers.DynamicCache(config=self.text_config)

    def read(
        self,
        tokens: Tokens,
        sees: Tensor | None = None,
        positions: Tensor | None = None,
        cache: Any = None,
        logits: bool = False,
    ) -> Any:
        """Run the language model; hooks on it fire.

        Result: Tensor, shape (b, t, d), or (b, t, vocabulary).

        Parameters
        ----------
        tokens : Tokens, shape (b, t); the new tokens
        sees : bool, shape (b, t, s + t), or None; which of the s cached and t new positions each
            new token attends to; None means all earlier ones that are not padding
        positions : int64, shape (b, t), or None; position of each new token in its prompt, needed
            if the tokens do not start the prompt
        cache : keys and values of the s positions, extended by t; None to keep nothing
        logits : whether to run the head too
        """
        places = self.positions(tokens) if positions is None else positions
        sees = self.without_images(tokens) if sees is None else sees
        inputs = {"input_ids": tokens.ids, "use_cache": cache is not None, **tokens.inputs}
        inputs["attention_mask"] = tokens.valid.long() if sees is None else self.bias(sees)
        inputs |= {} if places is None else {"position_ids": places}
        inputs |= {} if cache is None else {"past_key_values": cache}
        inputs |= (
            {"mm_encoder_outputs": {"image": self.encoder_output(tokens)}} if tokens.encoded else {}
        )
        out = (self.model if logits else self.body)(**inputs)
        return out.logits if logits else getattr(out, "last_hidden_state", None)

    def without_images(self, tokens: Tokens) -> Tensor | None:
        """Return the attention mask of whole prompts if text must not see images, otherwise None.

        The spec's ``text_sees_images`` decides this. Image tokens attend as usual.
        """
        if self.spec.text_sees_images or not bool(tokens.image.any()):
            return None
        self.check_lesion()
        t = tokens.ids.shape[1]
        earlier = torch.ones(t, t, dtype=torch.bool, device=self.device).tril()
        cut = ~tokens.image[:, :, None] & tokens.image[:, None, :]
        return earlier & tokens.valid[:, None] & ~cut

    def seen_later(self, tokens: Tokens) -> Tensor:
        """Return which tokens (b, t) of a prefix are visible to the text after it."""
        if self.spec.text_sees_images:
            return tokens.valid
        return tokens.valid & ~tokens.image

    def check_lesion(self) -> None:
        """Raise a UserError if text cannot be prevented from attending to images."""
        how = str(getattr(self.text_config, "_attn_implementation", "eager"))
        if self.spec.text_sees_images or (
            self.CAUSAL and self.has_full_attention() and how in MASKED
        ):
            return
        raise UserError(
            f"text_sees_images: false needs a causal language model with full attention, "
            f"{' or '.join(MASKED)}, such as that of llava, but family {self.spec.family} "
            f"has none (its attention: {how})"
        )

    def bias(self, sees: Tensor) -> Tensor:
        """Return an attention mask as an additive bias of the attention scores."""
        hidden = torch.zeros(sees.shape, dtype=self.dtype, device=self.device)
        return hidden.masked_fill(~sees, torch.finfo(self.dtype).min)[:, None]

    def encoder_output(self, tokens: Tokens) -> Any:
        """Return the features of all images in the format that the class's own encoder returns."""
        features = [s.features for s in tokens.encoded]
        return SimpleNamespace(
            pooler_output=features if self.FEATURES_AS_LIST else torch.cat(features)
        )

    # Answers

    def answer_ids(self, row: Row, text: str) -> list[int]:
        """Return the token ids of an answer that follows a prompt.

        A space comes first, unless the prompt ends with white space or a special token, such as
        the start of a turn. This matches training data and greedy generation.
        """
        key = (row.ids[-1], text)
        if key not in self._answers:
            self._answers[key] = self._answer_ids(*key)
        return self._answers[key]

    def _answer_ids(self, last: int, text: str) -> list[int]:
        opening = "" if last < 0 or last in self.own_ids else str(self.tokenizer.decode([last]))
        between = " " if opening and not opening[-1].isspace() else ""
        before, both = (self.plain_ids(t) for t in (opening, opening + between + text))
        return both[len(before) :] if both[: len(before)] == before else self.plain_ids(text)

    @cached_property
    def _answers(self) -> dict[tuple[int, str], list[int]]:
        return {}  # most choices occur with many prompts

    @cached_property
    def own_ids(self) -> set[int]:
        """Ids of special and added tokens."""
        added = getattr(self.tokenizer, "added_tokens_decoder", {})
        return {*map(int, self.tokenizer.all_special_ids), *map(int, added)}

    def plain_ids(self, text: str) -> list[int]:
        """Return the token ids of a text on its own."""
        with tokenizing(self.spec.checkpoint):
            return [int(i) for i in self.tokenizer(text, add_special_tokens=False)["input_ids"]]

    def ends(self) -> set[int]:
        """Return the ids of the tokens that end an answer."""
        found = getattr(getattr(self.model, "generation_config", None), "eos_token_id", None)
        listed = found if isinstance(found, list) else [found]
        return {int(i) for i in [*listed, self.tokenizer.eos_token_id] if i is not None}

    def logits(
        self, rows: Sequence[Row], encoded: Sequence[EncodedImage], begun: Sequence[Sequence[int]]
    ) -> list[Tensor]:
        """Return next-token logits after each prompt and each token of a partial answer.

        Result: list of Tensor, one (tokens of the answer + 1, vocabulary) per row.
        """
        whole = [replace(r, ids=[*r.ids, *b]) for r, b in zip(rows, begun, strict=True)]
        hidden = self.read(self.tokens(whole, encoded))
        ends = [(len(r.ids) - 1, len(w.ids)) for r, w in zip(rows, whole, strict=True)]
        return [self.score(h[a:b]) for h, (a, b) in zip(hidden, ends, strict=True)]

    def score(self, hidden: Tensor) -> Tensor:
        """Return logits (n, vocabulary) for hidden states (n, d) after the final norm."""
        found: Tensor = self.model.get_output_embeddings()(hidden)
        return found
