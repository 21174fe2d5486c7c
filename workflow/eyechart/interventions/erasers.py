"""Image tokens with labels, erasers fitted on them, and what can be decoded before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from eyechart.core.address import REFERENT
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.interventions.asked import OWN, AskedItem
from eyechart.interventions.batch import Batch
from eyechart.interventions.reader import Reader
from eyechart.statistics.eraser import Eraser, fit
from eyechart.statistics.intervals import share_interval

SIZE = "interventions.batch_size"

Labelled = tuple[np.ndarray, np.ndarray, np.ndarray]  # tokens (m, d), answers, groups (m,)


@dataclass(frozen=True)
class Sample:
    """The image tokens of some items at one address, in float64.

    Attributes
    ----------
    mean, covariance : of all image tokens, (d,) and (d, d); each image once per item about it
    tokens : (m, d); those that a referent covers by half, or the one that it covers most
    tasks, answers, groups : str, shape (m,); of the item of each
    """

    mean: np.ndarray
    covariance: np.ndarray
    tokens: np.ndarray
    tasks: np.ndarray
    answers: np.ndarray
    groups: np.ndarray

    def labelled(self, concept: str) -> Labelled:
        """Return the tokens of a task's items with their answers and groups."""
        own = self.tasks == concept
        return self.tokens[own], self.answers[own], self.groups[own]


def collect(
    reader: Reader, asked: Sequence[AskedItem], addresses: Sequence[str], size: int | str
) -> dict[str, Sample]:
    """Return the image tokens of items at every address."""

    def read(few: Sequence[AskedItem]) -> dict[str, list[Tensor]]:
        batch = Batch(reader, few)
        return {
            address: [one.cpu() for one in batch.image_states(address)] for address in addresses
        }

    sums: dict[str, list[Any]] = {address: [0, 0.0, 0.0] for address in addresses}
    found: dict[str, list[np.ndarray]] = {address: [] for address in addresses}
    names: list[list[str]] = []
    for few, states in AdaptiveBatchSize(size, SIZE).over(asked, read):
        masks = [one.regions.get(OWN, {}).get(REFERENT) for one in few]
        for one, mask in zip(few, masks, strict=True):
            label = [str(one.item[key]) for key in ("task", "answer", "group")]
            names += [label] * (int(mask.most.sum()) if mask else 0)
        for address in addresses:
            for one_of, mask in zip(states[address], masks, strict=True):
                tokens = one_of.double().numpy()
                for part, more in enumerate((len(tokens), tokens.sum(0), tokens.T @ tokens)):
                    sums[address][part] = sums[address][part] + more
                if mask:
                    found[address].append(tokens[mask.most])
    tasks, answers, groups = np.array(names, dtype=str).reshape(-1, 3).T
    samples = {}
    for address, (count, total, square) in sums.items():
        mean = total / count
        tokens = np.concatenate([np.empty((0, len(mean))), *found[address]])
        covariance = square / count - np.outer(mean, mean)
        samples[address] = Sample(mean, covariance, tokens, tasks, answers, groups)
    return samples


def fit_on(sample: Sample, concept: str) -> Eraser:
    """Return the eraser of a concept; a ValueError if its classes do not differ."""
    tokens, answers, _ = sample.labelled(concept)
    return fit(tokens, answers, sample.covariance)


def permuted(sample: Sample, concept: str, rng: np.random.Generator) -> Sample:
    """Return a sample in which the items' answers to a task have changed places."""
    own = np.flatnonzero(sample.tasks == concept)
    answers = sample.answers.copy()
    answers[own] = answers[rng.permutation(own)]
    return replace(sample, answers=answers)


def describe(eraser: Eraser, sample: Sample, held_out: Sample, concept: str) -> dict[str, Any]:
    """Return how much an eraser removes, and what can be decoded on held-out groups."""
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
