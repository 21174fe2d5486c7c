"""Base adapter of families with a language model: tokenized prompts and forward passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
import transformers
from PIL import Image
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.models.families.base import Adapter, EncodedImage, PreparedImage
from eyechart.models.spans import Tokens, pad, text_masks

IN_TEXT = ("image_mean", "text_mean", "last", "all_mean", "image_tokens")
TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")


@dataclass(frozen=True)
class Row:
    """One prompt as token ids, up to the answer; ``inputs`` are specific to the family."""

    ids: list[int]
    inputs: dict[str, Any] = field(default_factory=dict)


class LanguageAdapter(Adapter):
    """A loaded vision-language model of a transformers class.

    The class runs encoder and connector in ``get_image_features`` and accepts their output as
    ``mm_encoder_outputs``, so an image is encoded once and used for all its questions.

    Class attributes
    ----------------
    BODY : module path of the model without its head
    LM, NORM : module paths of the list of blocks, and of the last norm
    CAUSAL : whether no token attends to a later one, except image tokens to one another
    ACCEPTS_TEXT_ONLY : whether a prompt without an image is valid
    MAX_IMAGES_PER_PROMPT : maximum number of images per prompt; 0 for no limit
    ADDS_OPENING_TOKEN : whether prompts start with a token that the tokenizer does not add
    FEATURES_AS_LIST : whether the features of several images are a list, not one tensor
    """

    MODEL = "AutoModelForImageTextToText"
    BODY: ClassVar[str] = "model"
    LM: ClassVar[str] = "model.language_model.layers"
    NORM: ClassVar[str] = "model.language_model.norm"
    CAUSAL: ClassVar[bool] = True
    ACCEPTS_TEXT_ONLY: ClassVar[bool] = True
    MAX_IMAGES_PER_PROMPT: ClassVar[int] = 0
    ADDS_OPENING_TOKEN: ClassVar[bool] = False
    FEATURES_AS_LIST: ClassVar[bool] = True

    @property
    def body(self) -> Any:
        """Model without its head."""
        return self.model.get_submodule(self.BODY)

    @property
    def text_config(self) -> Any:
        """Configuration of the language model."""
        return self.model.config.get_text_config()

    @property
    def image_id(self) -> int:
        """Id of the token that is replaced by image features."""
        return int(self.model.config.image_token_id)

    @property
    def mark(self) -> str:
        """Placeholder of an image in the chat template."""
        return str(self.processor.image_token)

    @property
    def tokenizer(self) -> Any:
        """Tokenizer of prompts."""
        return self.processor.tokenizer

    def addresses(self) -> dict[str, str]:
        """Return the module path of every address, in execution order."""
        return {**super().addresses(), **self.blocks("lm", self.LM), "lm.norm": self.NORM}

    def spans(self, component: str) -> tuple[str, ...]:
        """Return the spans of a component's addresses, in the order of ``addresses.SPANS``."""
        return IN_TEXT if component == "lm" else super().spans(component)

    def mask_argument(self, address: str) -> tuple[str, bool]:
        """Return the argument of a block that holds its attention mask, and how to read None.

        Returns
        -------
        str, bool
            The argument's name; whether a block whose mask is None attends to earlier tokens only.

        Raises
        ------
        UserError
            If the address is not a block whose tokens attend to the prompt's.
        """
        self.module_path(address)
        component, _, number = address.partition(".")
        if component not in ("lm", "decoder") or not number.isdigit():
            raise UserError(f"{address}: attention is cut in blocks of the language model alone")
        kinds = getattr(self.text_config, "layer_types", None) or []
        if component == "lm" and kinds and kinds[int(number)] == "linear_attention":
            raise UserError(
                f"{address}: this block of family {self.spec.family} is recurrent, so there is no "
                "attention to cut"
            )
        return "attention_mask", True

    # Images

    def prepare_image(self, image: Image.Image) -> PreparedImage:
        """Preprocess one RGB image and write its placeholder text."""
        found = self.processor(
            images=[image], text=[self.mark], return_text_replacement_offsets=True
        )
        text = found.pop("text_replacement_offsets")[0][0]["replacement"]
        kept = {k: v for k, v in found.items() if k not in TEXT_INPUTS}
        inputs = dict(transformers.BatchFeature(kept, tensor_type="pt"))
        return PreparedImage(inputs, str(text), self.rows(inputs))

    def encode_images(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Run encoder and connector; return the language model's input for each image."""
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

    # Prompts

    def row(self, prompt: str, images: Sequence[PreparedImage]) -> Row:
        """Return the token ids of one user turn, up to the answer.

        Parameters
        ----------
        prompt : str
            The text of the turn.
        images : sequence of PreparedImage
            Its images, in order; none for text alone.

        Raises
        ------
        UserError
            If there is no chat template, the prompt contains an image placeholder or is longer
            than the model's context, or the model does not accept this many images.
        """
        self.check_number(prompt, len(images))
        text = self.turn(prompt, len(images))
        pieces = text.split(self.mark)
        if len(pieces) != len(images) + 1:
            raise UserError(
                f"prompt {prompt!r}: {len(pieces) - 1} marks {self.mark!r} in the "
                f"chat template's text, expected {len(images)}, one per image"
            )
        shown = [self.image_text(p, n, len(images)) for n, p in enumerate(images)]
        filled = [text + piece for text, piece in zip(shown, pieces[1:], strict=True)]
        row = Row(self.encode(pieces[0] + "".join(filled)))
        self.check_length(prompt, len(row.ids))
        return row

    def turn(self, prompt: str, images: int) -> str:
        """Return one user turn as text, with a placeholder per image."""
        if self.spec.turn is not None:
            return self.spec.turn.format(images=self.mark * images, question=prompt)
        content = [{"type": "image"} for _ in range(images)]
        words = {"type": "text", "text": prompt}
        turn = [*content, words] if self.spec.image_first else [words, *content]
        try:
            return str(
                self.processor.apply_chat_template(
                    [{"role": "user", "content": turn}], add_generation_prompt=True, tokenize=False
                )
            )
        except ValueError as error:
            raise UserError(
                f"{self.spec.checkpoint}: {' '.join(str(error).split())}; give its spec a turn, "
                "such as turn: '{images}Question: {question} Answer:'"
            ) from None

    def image_text(self, image: PreparedImage, number: int, of: int) -> str:
        """Return the text of image ``number``, counted from 0, in a prompt with ``of`` images."""
        return image.text

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a whole prompt."""
        opening = str(self.tokenizer.bos_token or self.tokenizer.eos_token or "")
        if self.ADDS_OPENING_TOKEN and not text.startswith(opening):
            text = opening + text
        opened = self.tokenizer.bos_token is not None and text.startswith(opening)
        return list(self.tokenizer(text, add_special_tokens=not opened)["input_ids"])

    def check_number(self, prompt: str, images: int) -> None:
        """Raise a UserError if the model does not accept this number of images."""
        if not images and not self.ACCEPTS_TEXT_ONLY:
            raise UserError(
                f"{self.spec.family} reads no prompt without an image, and {prompt!r} has none"
            )
        if self.MAX_IMAGES_PER_PROMPT and images > self.MAX_IMAGES_PER_PROMPT:
            raise UserError(
                f"{self.spec.family} reads {self.MAX_IMAGES_PER_PROMPT} image per prompt, "
                f"and {prompt!r} has {images}"
            )

    def check_length(self, prompt: str, length: int) -> None:
        """Raise a UserError if a prompt of this length does not fit the model's context."""
        most = getattr(self.text_config, "max_position_embeddings", None)
        if most and length > most:
            raise UserError(
                f"prompt {prompt[:60]!r}: {length} tokens, but {self.spec.checkpoint} reads "
                f"{most} at most; shorten it, or use smaller images"
            )

    # Prefix shared by the questions about an image

    def prefix(self, ids: Sequence[int]) -> int:
        """Return the number of tokens up to the last one of an image; 0 for text alone."""
        marks = self.image_marker_ids()
        return next((i + 1 for i in reversed(range(len(ids))) if ids[i] in marks), 0)

    def image_marker_ids(self) -> set[int]:
        """Return the ids of all tokens that only images use: placeholders and delimiters."""
        found = getattr(self.processor, "image_token_ids", None) or []
        return {self.image_id, *(i for i in found if i is not None)}

    def shares_prefix(self, image: PreparedImage) -> bool:
        """Whether everything up to the last image token is the same for every question.

        This requires a language model with full causal attention, and a prompt whose text before
        the image does not depend on the question, which two different questions test.
        """
        if not (self.CAUSAL and self.spec.image_first and self.has_full_attention()):
            return False
        first, second = (self.row(q, [image]).ids for q in ("What?", "so be it 7"))
        end = self.prefix(first)
        return end > 0 and first[:end] == second[:end] and self.prefix(second) == end

    def has_full_attention(self) -> bool:
        """Whether every block attends to all earlier tokens: no windows, no recurrence."""
        config = self.text_config
        kinds = getattr(config, "layer_types", None)
        if kinds is not None:
            return set(kinds) == {"full_attention"}
        window = getattr(config, "sliding_window", None)
        most = getattr(config, "max_position_embeddings", None)
        return not window or bool(most and window >= most)

    # Forward passes

    def tokens(self, rows: Sequence[Row], encoded: Sequence[EncodedImage] = ()) -> Tokens:
        """Pad prompts to one batch on the device; ``encoded`` are all their images, in order."""
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

        Parameters
        ----------
        tokens : Tokens, shape (b, t)
            The new tokens.
        sees : bool, shape (b, t, s + t), or None
            Which of the s cached and t new positions each new token attends to; None: all earlier
            ones that are not padding.
        positions : int64, shape (b, t), or None
            Position of each new token in its prompt, if the tokens do not start it.
        cache : keys and values of the s positions, extended by t; None to keep nothing
        logits : bool
            Whether to run the head too.

        Returns
        -------
        Tensor, shape (b, t, d), or (b, t, vocabulary)
        """
        places = self.positions(tokens) if positions is None else positions
        inputs = {"input_ids": tokens.ids, "use_cache": cache is not None, **tokens.inputs}
        inputs["attention_mask"] = tokens.valid.long() if sees is None else self.bias(sees)
        inputs |= {} if places is None else {"position_ids": places}
        inputs |= {} if cache is None else {"past_key_values": cache}
        inputs |= (
            {"mm_encoder_outputs": {"image": self.encoder_output(tokens)}} if tokens.encoded else {}
        )
        out = (self.model if logits else self.body)(**inputs)
        return out.logits if logits else getattr(out, "last_hidden_state", None)

    def bias(self, sees: Tensor) -> Tensor:
        """Return an attention mask as a bias that is added to the attention scores."""
        hidden = torch.zeros(sees.shape, dtype=self.dtype, device=self.device)
        return hidden.masked_fill(~sees, torch.finfo(self.dtype).min)[:, None]

    def encoder_output(self, tokens: Tokens) -> Any:
        """Return the features of all images in the format of the class's own encoder."""
        features = [s.features for s in tokens.encoded]
        return SimpleNamespace(
            pooler_output=features if self.FEATURES_AS_LIST else torch.cat(features)
        )

    # Answers

    def answer_ids(self, row: Row, text: str) -> list[int]:
        """Return the token ids of an answer as it follows a prompt.

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
        return {}  # most choices follow many prompts

    @cached_property
    def own_ids(self) -> set[int]:
        """Ids of special and added tokens."""
        added = getattr(self.tokenizer, "added_tokens_decoder", {})
        return {*map(int, self.tokenizer.all_special_ids), *map(int, added)}

    def plain_ids(self, text: str) -> list[int]:
        """Return the token ids of a text by itself."""
        return [int(i) for i in self.tokenizer(text, add_special_tokens=False)["input_ids"]]

    def ends(self) -> set[int]:
        """Return the ids of the tokens that end an answer."""
        found = getattr(getattr(self.model, "generation_config", None), "eos_token_id", None)
        listed = found if isinstance(found, list) else [found]
        return {int(i) for i in [*listed, self.tokenizer.eos_token_id] if i is not None}

    def logits(
        self, rows: Sequence[Row], encoded: Sequence[EncodedImage], begun: Sequence[Sequence[int]]
    ) -> list[Tensor]:
        """Return next-token logits after each prompt and each token of the answer begun.

        Returns
        -------
        list of Tensor, one (tokens begun + 1, vocabulary) per row
        """
        whole = [replace(r, ids=[*r.ids, *b]) for r, b in zip(rows, begun, strict=True)]
        hidden = self.read(self.tokens(whole, encoded))
        ends = [(len(r.ids) - 1, len(w.ids)) for r, w in zip(rows, whole, strict=True)]
        return [self.score(h[a:b]) for h, (a, b) in zip(hidden, ends, strict=True)]

    def score(self, hidden: Tensor) -> Tensor:
        """Return logits (n, vocabulary) for hidden states (n, d) of the last norm."""
        found: Tensor = self.model.get_output_embeddings()(hidden)
        return found
