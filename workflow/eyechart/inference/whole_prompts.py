"""Score whole prompts, once per branch of their choices; this works for every family.

Encoded images are passed in, so that no image is encoded twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.choice_tokens import Ids, Script, sums
from eyechart.models.families.base import EncodedImage
from eyechart.models.families.language import LanguageAdapter


def score(
    adapter: LanguageAdapter,
    scripts: Sequence[Script],
    encoded: Sequence[Sequence[EncodedImage]],
    batches: AdaptiveBatchSize,
) -> list[list[float]]:
    """Return the log-probability of every choice of each script, given its images ``encoded``."""
    found = [[0.0] * len(s.choices) for s in scripts]
    entries = [(n, k) for n, s in enumerate(scripts) for k in range(len(s.branches)) if s.choices]
    entries.sort(key=lambda e: len(scripts[e[0]].row.ids) + len(scripts[e[0]].branches[e[1]]))

    def work(few: Sequence[tuple[int, int]]) -> list[tuple[int, int, float]]:
        return score_entries(adapter, scripts, encoded, few)

    for _, done in batches.over(entries, work, "prompts"):
        for n, c, value in done:
            found[n][c] = value
    return found


def score_entries(
    adapter: LanguageAdapter,
    scripts: Sequence[Script],
    encoded: Sequence[Sequence[EncodedImage]],
    entries: Sequence[tuple[int, int]],
) -> list[tuple[int, int, float]]:
    """Return (script index, choice index, log-probability) from one forward pass.

    ``entries`` are the rows of the pass: the indices of a script and of the branch that follows it.
    """
    rows = [scripts[n].row for n, _ in entries]
    begun = [scripts[n].branches[k] for n, k in entries]
    with torch.inference_mode():
        scores = adapter.logits(rows, [one for n, _ in entries for one in encoded[n]], begun)
    done = []
    for (n, k), own in zip(entries, scores, strict=True):
        script = scripts[n]
        here = [c for c in range(len(script.choices)) if script.branch_of(c) == k]
        ids = [script.choices[c] for c in here]
        values = sums(own, ids, [range(len(i)) for i in ids])
        done += [(n, c, value) for c, value in zip(here, values, strict=True)]
    return done


def generate(
    adapter: LanguageAdapter,
    scripts: Sequence[Script],
    encoded: Sequence[Sequence[EncodedImage]],
    most: int,
    batches: AdaptiveBatchSize,
) -> list[Ids]:
    """Return the greedy answer to each script, at most ``most`` tokens long.

    Each step reads the prompts again with the answers so far.
    """
    ends = adapter.ends()

    def work(few: Sequence[int]) -> list[Ids]:
        rows = [scripts[n].row for n in few]
        own = [one for n in few for one in encoded[n]]
        begun: list[Ids] = [[] for _ in few]
        with torch.inference_mode():
            for _ in range(most):
                new = [int(s[-1].argmax()) for s in adapter.logits(rows, own, begun)]
                begun = [
                    b if ends.intersection(b) else [*b, n] for b, n in zip(begun, new, strict=True)
                ]
                if all(ends.intersection(b) for b in begun):
                    break
        return begun

    return [ids for _, done in batches.over(range(len(scripts)), work, "answers") for ids in done]
