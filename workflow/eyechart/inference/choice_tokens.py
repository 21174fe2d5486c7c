"""Prompts and their choices as tokens, and the passes that score them, prompt by prompt.

A choice's log-probability is the sum over its tokens, each given the prompt and the tokens before
it; the last token need not be read for that. So a prompt is read with what begins its choices,
which are its branches, and choices that begin alike share one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.models.families.language import LanguageAdapter, Row

Ids = list[int]


@dataclass(frozen=True)
class Script:
    """One prompt, and what is scored after it.

    Attributes
    ----------
    row : Row
    choices : list of token ids, one list per choice
    branches : list of token ids
        Beginnings of choices, none of which begins another; one empty one where nothing longer
        is needed.
    tell : bool
        Whether the greedy answer is wanted too.
    """

    row: Row
    choices: list[Ids]
    branches: list[Ids]
    tell: bool

    def branch_of(self, choice: int) -> int:
        """Give the number of the first branch that a choice is scored along."""
        begun = self.choices[choice][:-1]
        return next(n for n, ids in enumerate(self.branches) if ids[: len(begun)] == begun)


@dataclass(frozen=True)
class Response:
    """What a model answers to one prompt.

    Attributes
    ----------
    log_probability : of each choice, summed over its tokens
    tokens : how many tokens each choice has
    text : the greedy answer, or None where it was not wanted
    """

    log_probability: list[float]
    tokens: list[int]
    text: str | None = None


def script(adapter: LanguageAdapter, row: Row, choices: Sequence[str], most: int | None) -> Script:
    """Give the script of a prompt.

    Parameters
    ----------
    most : int or None
        How many tokens a greedy answer may have, if one is wanted.

    Raises
    ------
    UserError
        If a choice has no tokens, or prompt and answer are longer than the model's context.
    """
    ids = [adapter.answer_ids(row, choice) for choice in choices]
    for choice, own in zip(choices, ids, strict=True):
        if not own:
            raise UserError(f"choice {choice!r} has no tokens, expected a text")
    longest = max([most or 0, *map(len, ids)])
    adapter.check_length(" / ".join(choices), len(row.ids) + longest)
    return Script(row, ids, branches(ids), most is not None)


def branches(choices: Sequence[Ids]) -> list[Ids]:
    """Give the fewest beginnings along which all choices can be scored.

    >>> branches([[5, 6, 7], [5, 6], [8]])
    [[5, 6]]
    """
    begun = {tuple(ids[:-1]) for ids in choices} or {()}
    inner = {ids[:n] for ids in begun for n in range(len(ids))}
    return [list(ids) for ids in sorted(begun - inner)]


def sums(scores: Tensor, choices: Sequence[Ids], places: Sequence[Sequence[int]]) -> list[float]:
    """Sum the log-probabilities of the tokens of choices.

    Parameters
    ----------
    scores : shape (p, words)
    choices : token ids of each
    places : the row of ``scores`` that foretells each token
    """
    if not choices:
        return []
    row = torch.tensor([p for own in places for p in own], device=scores.device)
    word = torch.tensor([i for ids in choices for i in ids], device=scores.device)
    values = scores.float().log_softmax(dim=1)[row, word].double().cpu()
    return [float(own.sum()) for own in values.split([len(ids) for ids in choices])]


def tidy(adapter: LanguageAdapter, ids: Ids) -> str:
    """Give a greedy answer as text, up to the first token that ends it."""
    ends = adapter.ends()
    end = next((n for n, i in enumerate(ids) if i in ends), len(ids))
    return str(adapter.tokenizer.decode(ids[:end], skip_special_tokens=True)).strip()
