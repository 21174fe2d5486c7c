"""Labelled image tokens, erasers fitted on them, and decoding accuracy before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from eyechart.core.address import CONNECTOR, REFERENT
from eyechart.core.errors import UserError
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.interventions.asked import OWN, AskedItem, RegionOfTokens
from eyechart.interventions.batch import Batch
from eyechart.interventions.reader import Reader
from eyechart.statistics.eraser import Eraser, fit
from eyechart.statistics.intervals import share_interval

SIZE = "interventions.batch_size"
LABELS = ("task", "answer", "group", "item_id")  # labels of a token

Labelled = tuple[np.ndarray, np.ndarray, np.ndarray]  # tokens (m, d), answers, groups (m,)


@dataclass(frozen=True)
class Sample:
    """The image tokens of some items at one address, in float64.

    Attributes
    ----------
    mean, covariance : of all image tokens, (d,) and (d, d); an image counts once per item about it
    tokens : (m, d); tokens that a referent covers by at least half, otherwise the most covered one
    tasks, answers, groups, items : str, shape (m,); task, answer, group and id of each token's item
    """

    mean: np.ndarray
    covariance: np.ndarray
    tokens: np.ndarray
    tasks: np.ndarray
    answers: np.ndarray
    groups: np.ndarray
    items: np.ndarray

    def labelled(self, concept: str) -> Labelled:
        """Return the tokens of a task's items, with their answers and groups."""
        own = self.tasks == concept
        return self.tokens[own], self.answers[own], self.groups[own]


class Tally:
    """Accumulates the image tokens of items at one address."""

    def __init__(self) -> None:
        self.count, self.total, self.square = 0, np.zeros(1), np.zeros((1, 1))
        self.labelled: list[np.ndarray] = []

    def add(self, states: Tensor, region: RegionOfTokens | None) -> None:
        """Add the tokens (t, d) of an item's images; tokens in its region are labelled."""
        tokens = states.double().cpu().numpy()
        self.count, self.total = self.count + len(tokens), self.total + tokens.sum(axis=0)
        self.square = self.square + tokens.T @ tokens
        if region:
            self.labelled.append(tokens[region.most])

    def sample(self, labels: np.ndarray) -> Sample:
        """Return the sample; ``labels`` (m, 4) are those of the tokens in regions, in order."""
        mean = self.total / self.count
        tokens = np.concatenate([np.empty((0, len(mean))), *self.labelled])
        return Sample(mean, self.square / self.count - np.outer(mean, mean), tokens, *labels.T)


def collect(
    reader: Reader,
    asked: Sequence[AskedItem],
    addresses: Sequence[str],
    size: int | str,
    note: Callable[[str], None],
) -> dict[str, Sample]:
    """Return the image tokens of items at every address; ``note`` records where there are none."""
    refused: dict[str, str] = {}
    connector = [address for address in addresses if address == CONNECTOR]
    blocks = [address for address in addresses if address != CONNECTOR]

    def read(few: Sequence[AskedItem]) -> dict[str, list[Tensor]]:
        batch = Batch(reader, few)
        found: dict[str, list[Tensor]] = {}
        for part in (connector, blocks):
            try:
                found |= batch.image_states(part)
            except UserError as error:
                refused.update(dict.fromkeys(part, str(error)))
        return found

    regions = [one.regions.get(OWN, {}).get(REFERENT) for one in asked]
    names = [[str(one.item[key]) for key in LABELS] for one in asked]
    labels = [n for n, r in zip(names, regions, strict=True) if r for _ in range(r.most.sum())]
    tallies, done = {address: Tally() for address in addresses}, 0
    for few, states in AdaptiveBatchSize(size, SIZE, reader.adapter).over(asked, read):
        here = regions[done : done + len(few)]
        done += len(few)
        for address, own in states.items():
            for tokens, region in zip(own, here, strict=True):
                tallies[address].add(tokens, region)
    for sentence in dict.fromkeys(refused.values()):
        note(sentence)
    known = np.array(labels, dtype=str).reshape(-1, len(LABELS))
    return {a: tally.sample(known) for a, tally in tallies.items() if a not in refused}


def fit_on(sample: Sample, concept: str) -> Eraser:
    """Return the eraser of a concept; raise a ValueError if its classes do not differ."""
    tokens, answers, _ = sample.labelled(concept)
    return fit(tokens, answers, sample.covariance)


def permuted(sample: Sample, concept: str, rng: np.random.Generator) -> Sample:
    """Return a sample with the items' answers to a task permuted."""
    own = np.flatnonzero(sample.tasks == concept)
    _, first, item = np.unique(sample.items[own], return_index=True, return_inverse=True)
    answers = sample.answers.copy()
    answers[own] = answers[own][rng.permutation(first)][item]
    return replace(sample, answers=answers)


def describe(eraser: Eraser, sample: Sample, held_out: Sample, concept: str) -> dict[str, Any]:
    """Return how much an eraser removes, and decoding accuracies on held-out groups."""
    tokens, answers, _ = sample.labelled(concept)
    others, truth, groups = held_out.labelled(concept)
    values, counts = np.unique(answers, return_counts=True)
    row: dict[str, Any] = {
        "rank": eraser.rank,
        "tokens": len(tokens),
        "variance_removed": eraser.variance_removed(sample.covariance),
        "n": len(truth),
        "groups": len(np.unique(groups)),
    }
    if not len(truth):
        return row
    row["majority"] = float((truth == values[counts.argmax()]).mean())
    for name, change in (("before", lambda x: x), ("after", eraser)):
        probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        right = probe.fit(change(tokens), answers).predict(change(others)) == truth
        row[f"decodable_{name}"] = float(right.mean())
        ends = share_interval(right.astype(float), groups)
        row |= dict(zip((f"{name}_low", f"{name}_high"), ends, strict=True))
    return row
