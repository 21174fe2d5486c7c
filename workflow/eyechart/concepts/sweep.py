"""Cues, separation and projection of one address and span, for every number of components n.

n = 0 means the raw vectors, and n = 1 … r the first n principal components.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from eyechart.concepts import separation, space
from eyechart.concepts.cues import Hits, Row, find_hits
from eyechart.concepts.vectors import ImageSet
from eyechart.core.randomness import generator
from eyechart.statistics.bootstrap import bootstrap_interval

METHODS = ("centroid", "knn")


@dataclass(frozen=True)
class Sweep:
    """The results of one column for one image set."""

    # int, shape (2, 1 + r, m); each word image's nearest colour, by method and n
    found: np.ndarray
    hits: Hits  # the cues that these colours follow; settings are ordered by method, then n
    separation: list[Row]  # a row per n
    # shape (m + n_c, 2); coordinates of words, then concepts, in the first two components; 0 if
    # there are fewer
    coordinates: np.ndarray

    @property
    def components(self) -> int:
        """The number of components."""
        return self.found.shape[1] - 1


def sweep(
    words: np.ndarray, concepts: np.ndarray, bank: ImageSet, settings: dict[str, Any], seed: int
) -> Sweep:
    """Compare the vectors of word images (m, d) with the vectors of concept images (n_c, d)."""
    basis = space.fit(concepts, settings["components"])
    targets, references = basis.project(words), basis.project(concepts)
    found = _nearest(words, concepts, targets, references, bank, settings)
    hits = find_hits(found.reshape(-1, len(words)), bank.cues, bank.groups("words"))
    shown = np.zeros((len(words) + len(concepts), 2))
    two = np.concatenate([targets, references])[:, :2]
    shown[:, : two.shape[1]] = two
    rows = _separation(concepts, references, basis, bank, settings, seed)
    return Sweep(found, hits, rows, shown)


def _nearest(
    words: np.ndarray,
    concepts: np.ndarray,
    targets: np.ndarray,
    references: np.ndarray,
    bank: ImageSet,
    settings: dict[str, Any],
) -> np.ndarray:
    """Return the nearest colour by method and n, int (2, 1 + r, m)."""
    near, power, k = settings["neighbours"], settings["power"], bank.k
    centres = space.centroids(concepts.astype(np.float64), bank.labels, k)
    by_centre = [space.keys(*space.whole(words, centres)).argmax(axis=1)]
    by_centre += space.nearest_centroid(targets, space.centroids(references, bank.labels, k))
    by_vote = [space.votes(space.whole(words, concepts), bank.labels, k, near, power)]
    by_vote += [
        space.votes(grown, bank.labels, k, near, power)
        for grown in space.growing(targets, references)
    ]
    return np.array([by_centre, by_vote])


def _separation(
    concepts: np.ndarray,
    references: np.ndarray,
    basis: space.Components,
    bank: ImageSet,
    settings: dict[str, Any],
    seed: int,
) -> list[Row]:
    """Return one row per n: the concept images' separation, with permuted labels as control."""
    rng = generator("concepts permuted", seed, *bank.names)  # the same at every address
    labellings = separation.permuted(bank.labels, settings["permutations"], rng)
    right = [separation.left_out_whole(concepts, labellings, bank.k)]
    right += separation.left_out(references, labellings, bank.k)
    rows = _accuracies(right, bank, settings, seed)
    parts = zip(
        separation.whole_scatter(concepts, bank.labels, bank.k),
        separation.scatter(references, bank.labels, bank.k),
        strict=True,
    )
    explained = [1.0, *np.cumsum(basis.explained).tolist()]
    for name, both in zip(("ratio", "ratio_low", "ratio_high"), parts, strict=True):
        for row, value in zip(rows, np.concatenate(both), strict=True):
            row[name] = float(value) if np.isfinite(value) else None
    return [{**row, "explained": share} for row, share in zip(rows, explained, strict=True)]


def _accuracies(
    right: list[np.ndarray], bank: ImageSet, settings: dict[str, Any], seed: int
) -> list[Row]:
    """Return one row per n = 0 … r from ``right`` (v, n_c), with the true labelling first."""
    accuracy = np.array([of.mean(axis=1) for of in right])  # (1 + r, v)
    groups = bank.groups("concepts")
    truth, rng = np.array([of[0] for of in right]), generator("concepts pictures", seed)
    limits = bootstrap_interval(truth, groups, settings["bootstrap"], rng)
    control = accuracy[:, 1:]
    bounds = np.quantile(control, [0.025, 0.975], axis=1).T
    above = np.flatnonzero(limits[1:, 0] > settings["threshold"])
    shared: Row = {"chance": 1 / bank.k, "n": len(groups), "groups": len(np.unique(groups))}
    shared |= {"needed": int(above[0]) + 1 if len(above) else None}
    return [
        {
            **{**shared, "components": n, "threshold": settings["threshold"]},
            **{"accuracy": float(accuracy[n, 0]), "control": float(control[n].mean())},
            **{"ci_low": float(limits[n, 0]), "ci_high": float(limits[n, 1])},
            **{"control_low": float(bounds[n, 0]), "control_high": float(bounds[n, 1])},
        }
        for n in range(len(right))
    ]
