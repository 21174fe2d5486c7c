"""Prompts and their choices as tokens to score.

A choice's log-probability is the sum over its tokens, each given the prompt and the tokens before
it. The last token itself need not be an input, so the inputs are the prompt and its branches: the
choices without their last tokens. Choices with a common prefix share a branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.inference.chosen_items import Item
from eyechart.inference.prompts import PromptStyle
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.families.prompts import Row

Ids = list[int]


@dataclass(frozen=True)
class Script:
    """A prompt and the choices to score after it."""

    row: Row
    choices: list[Ids]  # list of token ids, one list per choice
    # lists of token ids: beginnings of choices, none of them a prefix of another; a single empty
    # list if all choices have one token
    branches: list[Ids]
    wants_text: bool  # whether to also generate a greedy answer

    def branch_of(self, choice: int) -> int:
        """Return the index of the first branch that contains the choice."""
        begun = self.choices[choice][:-1]
        return next(n for n, ids in enumerate(self.branches) if ids[: len(begun)] == begun)


@dataclass(frozen=True)
class Response:
    """A model's response to one prompt."""

    log_probability: list[float]  # of each choice, summed over its tokens
    tokens: list[int]  # number of tokens of each choice; 1 if it is compared as a whole
    text: str | None = None  # the greedy answer, or None if it was not requested


def script(adapter: LanguageAdapter, row: Row, choices: Sequence[str], most: int | None) -> Script:
    """Return the script of a prompt.

    Raise a UserError if a choice has no tokens, or if prompt and answer exceed the model's context.

    ``most``: maximum number of tokens of the greedy answer, if one is requested.
    """
    ids = [adapter.answer_ids(row, choice) for choice in choices]
    for choice, own in zip(choices, ids, strict=True):
        if not own:
            raise UserError(f"choice {choice!r} has no tokens, expected a nonempty string")
    longest = max([most or 0, *map(len, ids)])
    adapter.check_length(" / ".join(choices), len(row.ids) + longest)
    return Script(row, ids, branches(ids), most is not None)


def script_of(
    adapter: LanguageAdapter, style: PromptStyle, item: Item, images: Sequence[PreparedImage]
) -> Script:
    """Return an item's script about some images, with options in the given order."""
    (variant,) = style.variants(item)
    row = adapter.row(adapter.as_text(variant.prompt), images)
    return script(adapter, row, variant.scored, None)


def branches(choices: Sequence[Ids]) -> list[Ids]:
    """Return the smallest set of branches from which all choices can be scored.

    >>> branches([[5, 6, 7], [5, 6], [8]])
    [[5, 6]]
    """
    begun = {tuple(ids[:-1]) for ids in choices} or {()}
    inner = {ids[:n] for ids in begun for n in range(len(ids))}
    return [list(ids) for ids in sorted(begun - inner)]


def sums(scores: Tensor, choices: Sequence[Ids], places: Sequence[Sequence[int]]) -> list[float]:
    """Return the summed log-probability of each choice's tokens.

    Parameters
    ----------
    scores : shape (p, vocabulary)
    choices : token ids of each choice
    places : the row of ``scores`` that predicts each token
    """
    if not choices:
        return []
    row = torch.tensor([p for own in places for p in own], device=scores.device)
    word = torch.tensor([i for ids in choices for i in ids], device=scores.device)
    values = scores.float().log_softmax(dim=1)[row, word].double().cpu()
    return [float(own.sum()) for own in values.split([len(ids) for ids in choices])]


def tidy(adapter: LanguageAdapter, ids: Ids) -> str:
    """Return a greedy answer as text, up to the first end token."""
    ends = adapter.ends()
    end = next((n for n, i in enumerate(ids) if i in ends), len(ids))
    return str(adapter.tokenizer.decode(ids[:end], skip_special_tokens=True)).strip()
