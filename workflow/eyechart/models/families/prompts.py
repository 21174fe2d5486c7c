"""Prompts of families with a language model: their text, token ids and image tokens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import transformers
from PIL import Image
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.models.families.base import Adapter
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.limits import TooMuchError, rendered, tokenizing

log = logging.getLogger(__name__)
REMEMBERED = 1024  # prompts
TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")


@dataclass(frozen=True)
class Row:
    """One prompt as token ids, up to the answer; ``inputs`` are specific to the family."""

    ids: list[int]
    inputs: dict[str, Any] = field(default_factory=dict)


class PromptAdapter(Adapter):
    """The part of an adapter that writes prompts.

    Class attributes
    ----------------
    CAUSAL : whether no token attends to a later one, except among image tokens
    ACCEPTS_TEXT_ONLY : whether a prompt without an image is valid
    MAX_IMAGES_PER_PROMPT : maximum number of images per prompt; 0 for no limit
    ADDS_OPENING_TOKEN : whether prompts need an opening token that the tokenizer does not add
    """

    CAUSAL: ClassVar[bool] = True
    ACCEPTS_TEXT_ONLY: ClassVar[bool] = True
    MAX_IMAGES_PER_PROMPT: ClassVar[int] = 0
    ADDS_OPENING_TOKEN: ClassVar[bool] = False
    _ahead: Mapping[tuple[str, int], str | UserError] = {}

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

    def processed(self, images: Sequence[Image.Image]) -> tuple[dict[str, Tensor], list[str]]:
        """Return the processor's output for images, and the placeholder text of each image."""
        found = self.processor(
            images=list(images),
            text=[self.mark] * len(images),
            return_text_replacement_offsets=True,
        )
        texts = [str(own[0]["replacement"]) for own in found.pop("text_replacement_offsets")]
        kept = {k: v for k, v in found.items() if k not in TEXT_INPUTS}
        return dict(transformers.BatchFeature(kept, tensor_type="pt")), texts

    # Prompts

    def row(self, prompt: str, images: Sequence[PreparedImage]) -> Row:
        """Return the token ids of one user turn, up to the answer.

        Raise a UserError if there is no chat template, if the prompt contains an image placeholder
        or exceeds the model's context, or if the model does not accept this many images.

        Parameters
        ----------
        prompt : the text of the turn
        images : its images, in order; none for text alone
        """
        self.check_number(prompt, len(images))
        text = self.written(prompt, len(images))
        pieces = text.split(self.mark)
        if len(pieces) != len(images) + 1:
            raise UserError(
                f"prompt {prompt!r}: the rendered chat template contains {self.mark!r} "
                f"{len(pieces) - 1} times, expected {len(images)}, once per image"
            )
        shown = [self.image_text(p, n, len(images)) for n, p in enumerate(images)]
        filled = [text + piece for text, piece in zip(shown, pieces[1:], strict=True)]
        row = Row([*self._encode(pieces[0] + "".join(filled))])
        self.check_length(prompt, len(row.ids))
        return row

    def longer(self, row: Row, at: int, ids: Sequence[int]) -> Row:
        """Return a prompt with more tokens inserted before token ``at``."""
        return replace(row, ids=[*row.ids[:at], *ids, *row.ids[at:]])

    def as_text(self, question: str) -> str:
        """Return a question whose special tokens, such as ``<image>``, are written as plain text.

        A space is inserted after their first character: ``< image>``. Otherwise they would count as
        images or end the turn.
        """
        for token in self._special:
            if token in question:
                log.warning("%r in %r is written as text", token, question[:60])
        return self._as_text(question)

    def _as_text(self, question: str) -> str:
        for token in self._special:
            question = question.replace(token, f"{token[0]} {token[1:]}")
        return question

    @cached_property
    def _special(self) -> list[str]:
        """Special tokens that begin with a mark, longest first."""
        added = getattr(self.tokenizer, "added_tokens_decoder", {}).values()
        special = {str(token) for token in added if token.special}
        special |= {str(getattr(self.processor, "image_token", ""))}
        found = [token for token in special if len(token) > 2 and not token[0].isalnum()]
        return sorted(found, key=len, reverse=True)

    def write_ahead(self, asked: Iterable[tuple[str, int]]) -> None:
        """Write the turns of questions (text, number of images) for :meth:`row` in another thread.

        Limits on chat templates only work in the main thread (:func:`limits.rendered`). If a
        template rejects a prompt, the error is raised when its row is made; a TooMuchError is
        raised at once.
        """
        ahead: dict[tuple[str, int], str | UserError] = {}
        for question, images in dict.fromkeys(asked if self.spec.turn is None else ()):
            prompt = self._as_text(question)
            try:
                ahead[prompt, images] = self._turn(prompt, images)
            except TooMuchError:
                raise
            except UserError as error:
                ahead[prompt, images] = error
        self._ahead = ahead

    def written(self, prompt: str, images: int) -> str:
        """Return a turn, which may have been written ahead."""
        found = self._ahead.get((prompt, images))
        if isinstance(found, UserError):
            raise found
        return self._turn(prompt, images) if found is None else found

    # Datasets ask one question about many images, so the last turns are cached

    @cached_property
    def _turn(self) -> Callable[[str, int], str]:
        return lru_cache(REMEMBERED)(self.turn)

    @cached_property
    def _encode(self) -> Callable[[str], list[int]]:
        return lru_cache(REMEMBERED)(self.encode)

    def turn(self, prompt: str, images: int) -> str:
        """Return one user turn as text, with a placeholder per image."""
        if self.spec.turn is not None:
            return self.spec.turn.format(images=self.mark * images, question=prompt)
        content = [{"type": "image"} for _ in range(images)]
        words = {"type": "text", "text": prompt}
        turn = [*content, words] if self.spec.image_first else [words, *content]
        try:
            return rendered(
                self.spec.checkpoint,
                lambda: self.processor.apply_chat_template(
                    [{"role": "user", "content": turn}], add_generation_prompt=True, tokenize=False
                ),
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
        with tokenizing(self.spec.checkpoint):
            return list(self.tokenizer(text, add_special_tokens=not opened)["input_ids"])

    def check_number(self, prompt: str, images: int) -> None:
        """Raise a UserError if the model does not accept this number of images."""
        if not images and not self.ACCEPTS_TEXT_ONLY:
            raise UserError(
                f"{self.spec.family} accepts no prompt without an image, but {prompt!r} has none"
            )
        if self.MAX_IMAGES_PER_PROMPT and images > self.MAX_IMAGES_PER_PROMPT:
            raise UserError(
                f"{self.spec.family} accepts {self.MAX_IMAGES_PER_PROMPT} image per prompt, "
                f"but {prompt!r} has {images}"
            )

    def check_length(self, prompt: str, length: int) -> None:
        """Raise a UserError if a prompt of this length does not fit the model's context."""
        most = getattr(self.text_config, "max_position_embeddings", None)
        if most and length > most:
            raise UserError(
                f"prompt {prompt[:60]!r}: {length} tokens, but {self.spec.checkpoint} reads at "
                f"most {most}; shorten it, or use smaller images"
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
        """Return whether everything up to the last image token is the same for every question.

        This requires a language model with full causal attention, and a prompt whose text before
        the image does not depend on the question, which is tested with two different questions.
        """
        if not (self.CAUSAL and self.spec.image_first and self.has_full_attention()):
            return False
        first, second = (self.row(q, [image]).ids for q in ("What?", "so be it 7"))
        end = self.prefix(first)
        return end > 0 and first[:end] == second[:end] and self.prefix(second) == end

    def has_full_attention(self) -> bool:
        """Return whether every block attends to all earlier tokens: no windows, no recurrence."""
        config = self.text_config
        kinds = getattr(config, "layer_types", None)
        if kinds is not None:
            return set(kinds) == {"full_attention"}
        window = getattr(config, "sliding_window", None)
        most = getattr(config, "max_position_embeddings", None)
        return not window or bool(most and window >= most)
