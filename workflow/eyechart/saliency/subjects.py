"""A batch of questions to a model, with a differentiable score per item.

For a language model, the score is the log-probability of a choice after the prompt. For an encoder
with a text tower, it is the scaled cosine of image and text, by which the encoder compares choices.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.data.open_image import open_image
from eyechart.inference.choice_tokens import script
from eyechart.inference.chosen_items import Item
from eyechart.models.families.base import Adapter
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.families.prompts import Row
from eyechart.models.families.two_towers import TwoTowers
from eyechart.models.usable import usable
from eyechart.saliency.settings import SaliencySettings

Redraw = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class Question:
    """A question to a model about an item.

    Attributes
    ----------
    choice : the choice whose score is explained
    row, answer : the prompt and the choice's tokens, for a language model
    text : the text that an encoder compares the image with
    """

    item: Item
    choice: str
    pictures: list[Image.Image]
    images: list[PreparedImage]
    row: Row | None = None
    answer: Sequence[int] = ()
    text: str = ""


def prepare(
    adapter: Adapter, settings: SaliencySettings, item: Item, paths: dict[str, str], draw: Redraw
) -> Question:
    """Return the question about an item, asked about its images after applying ``draw``.

    Raise an UnusableError if the model's own code rejects the images or the prompt.
    """
    choice = settings.choice_of(item)
    pictures = [open_image(Path(paths[image])) for image in item["images"]]
    with usable(f"item {item['item_id']!r}", adapter.spec.checkpoint):
        images = [adapter.prepare_image(draw(picture)) for picture in pictures]
        if not isinstance(adapter, LanguageAdapter):
            if len(images) > 1:
                raise UserError(f"{len(images)} images, expected one for an encoder")
            text = settings.statement.format(question=item["prompt"], choice=choice)
            return Question(item, choice, pictures, images, text=text)
        (variant,) = settings.style().variants(item)
        row = adapter.row(adapter.as_text(variant.prompt), images)
        scored = variant.scored[item["choices"].index(choice)]
        (answer,) = script(adapter, row, [scored], None).choices
    return Question(item, choice, pictures, images, row, answer)


class Subject(ABC):
    """A batch of questions and the model that answers them."""

    def __init__(self, adapter: Any, questions: Sequence[Question]) -> None:
        self.adapter, self.questions = adapter, questions
        self.images = [image for one in questions for image in one.images]

    @abstractmethod
    def encode(self, images: Sequence[PreparedImage]) -> Sequence[Any]:
        """Run the encoder and the connector; return the input of ``score`` for each image."""

    @abstractmethod
    def score(self, encoded: Sequence[Any]) -> Tensor:
        """Return the score of each question's choice, float32 (b,)."""

    def chunks(self) -> list[Sequence[PreparedImage]]:
        """Return the images of each pass of the encoder."""
        n = self.adapter.MAX_IMAGES_PER_PASS or len(self.images)
        return [self.images[i : i + n] for i in range(0, len(self.images), n)]

    def per_item(self, rows: Sequence[Any]) -> list[Sequence[Any]]:
        """Split values for all images into each question's values."""
        found, start = [], 0
        for one in self.questions:
            found.append(rows[start : start + len(one.images)])
            start += len(one.images)
        return found


class PromptBatch(Subject):
    """A batch of questions to a language model."""

    def encode(self, images: Sequence[PreparedImage]) -> Sequence[Any]:
        """Return the language model's input for each image."""
        return list(self.adapter.encode_images(images))

    @property
    def rows(self) -> list[Row]:
        """The prompts of all questions."""
        return [one.row for one in self.questions if one.row is not None]

    def score(self, encoded: Sequence[Any]) -> Tensor:
        """Return the log-probability of each choice, summed over its tokens."""
        begun = [one.answer[:-1] for one in self.questions]
        found = self.adapter.logits(self.rows, list(encoded), begun)
        logs = [own.float().log_softmax(dim=-1) for own in found]
        ids = [torch.tensor(one.answer, device=logs[0].device) for one in self.questions]
        values = [own.gather(1, i[:, None]).sum() for own, i in zip(logs, ids, strict=True)]
        return torch.stack(values)


class TextBatch(Subject):
    """A batch of questions to an encoder with a text tower."""

    def encode(self, images: Sequence[PreparedImage]) -> Sequence[Any]:
        """Return the unit embedding of each image."""
        return list(self.adapter.embed_images(images, gradients=torch.is_grad_enabled()))

    def score(self, encoded: Sequence[Any]) -> Tensor:
        """Return the cosine of each image and its text, times the learned scale."""
        texts = self.adapter.embed_texts([one.text for one in self.questions]).clone()
        return self.adapter.logit_scale * (torch.stack(list(encoded)) * texts).sum(dim=-1)


def subject(adapter: Adapter, questions: Sequence[Question]) -> Subject:
    """Return a batch of questions to a model; raise a UserError if it reads no text."""
    if isinstance(adapter, LanguageAdapter):
        return PromptBatch(adapter, questions)
    if isinstance(adapter, TwoTowers):
        return TextBatch(adapter, questions)
    raise UserError(f"{adapter.spec.checkpoint}: it reads no text, so no choice has a score")
