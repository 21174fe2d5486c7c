"""What a model says: the log-probability of given answers, and the likeliest answer, greedily."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from eyechart.models.families.base import Seen
from eyechart.models.families.language import LanguageAdapter, Row


def choice_ids(adapter: LanguageAdapter, choice: str) -> list[int]:
    """Give the token ids of an answer, as it stands behind a prompt."""
    ids = adapter.tokenizer(choice, add_special_tokens=False)["input_ids"]
    return [int(i) for i in ids]


def score_choices(
    adapter: LanguageAdapter, row: Row, seen: Sequence[Seen], choices: Sequence[str]
) -> Tensor:
    """Give the log-probability of each answer, summed over its tokens: float32 (c,).

    Parameters
    ----------
    row : Row
        The prompt.
    seen : sequence of Seen
        Its pictures.
    """
    ids = [choice_ids(adapter, choice) for choice in choices]
    with torch.inference_mode():
        scores = adapter.logits([row] * len(ids), [*seen] * len(ids), ids)
    return torch.stack([_log_probability(s, i) for s, i in zip(scores, ids, strict=True)])


def answer(
    adapter: LanguageAdapter, rows: Sequence[Row], seen: Sequence[Seen], most: int
) -> list[str]:
    """Give the greedy answer to each prompt, of so many tokens at most.

    Each step reads the prompts again, with what was said so far: right in every family, and short
    answers are all that is wanted.
    """
    begun: list[list[int]] = [[] for _ in rows]
    ends = _ends(adapter)
    with torch.inference_mode():
        for _ in range(most):
            scores = adapter.logits(rows, seen, begun)
            new = [int(s[-1].argmax()) for s in scores]
            begun = [b if b and b[-1] in ends else [*b, n] for b, n in zip(begun, new, strict=True)]
            if all(b[-1] in ends for b in begun):
                break
    said = [[i for i in ids if i not in ends] for ids in begun]
    return [str(adapter.tokenizer.decode(ids, skip_special_tokens=True)).strip() for ids in said]


def _log_probability(scores: Tensor, ids: Sequence[int]) -> Tensor:
    """Sum the log-probabilities of an answer's tokens; ``scores`` (tokens + 1, words)."""
    every = scores[: len(ids)].float().log_softmax(dim=1)
    return every.gather(1, torch.tensor([ids], device=scores.device).T).sum()


def _ends(adapter: LanguageAdapter) -> set[int]:
    """Give the ids of the tokens that end an answer."""
    config = getattr(adapter.model, "generation_config", None)
    found = getattr(config, "eos_token_id", None)
    listed = found if isinstance(found, list) else [found]
    return {int(i) for i in [*listed, adapter.tokenizer.eos_token_id] if i is not None}
