"""Everything that is said of one address and span: cues, separation and projection, for every n.

n = 0 stands for the raw vectors, as they are; n = 1 … r for so many principal components.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from eyechart.concepts import separation, space
from eyechart.concepts.banks import Bank
from eyechart.concepts.cues import Hits, Row, find_hits
from eyechart.randomness import generator
from eyechart.statistics.testing import bootstrap_interval

METHODS = ("centroid", "knn")


@dataclass(frozen=True)
class Sweep:
    """One column of one bank.

    Attributes
    ----------
    found : ndarray of int, shape (2, 1 + r, m)
        The nearest colour of each word picture, by method and n.
    hits : Hits
        The same against the cues; its settings run over methods, in each over n.
    separation : list of dict
        A row per n.
    coordinates : ndarray, shape (m + n_c, 2)
        Of words, then of concepts, in the first two components; 0 where there are fewer.
    """

    found: np.ndarray
    hits: Hits
    separation: list[Row]
    coordinates: np.ndarray

    @property
    def components(self) -> int:
        """How many components there are."""
        return self.found.shape[1] - 1


def sweep(
    words: np.ndarray, concepts: np.ndarray, bank: Bank, settings: dict[str, Any], seed: int
) -> Sweep:
    """Compare the vectors of word pictures (m, d) with those of concept pictures (n_c, d)."""
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
    bank: Bank,
    settings: dict[str, Any],
) -> np.ndarray:
    """Give the nearest colour by method and n, int (2, 1 + r, m)."""
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
    bank: Bank,
    settings: dict[str, Any],
    seed: int,
) -> list[Row]:
    labels, k = bank.labels, bank.k
    rng = generator("concepts permuted", seed, *bank.names)  # the same at every address
    labellings = separation.permuted(labels, settings["permutations"], rng)
    right = [separation.left_out_whole(concepts, labellings, k)]
    right += separation.left_out(references, labellings, k)
    accuracy = np.array([of.mean(axis=1) for of in right])  # (1 + r, v)
    groups = bank.groups("concepts")
    truth = np.array([of[0] for of in right])  # (1 + r, n_c)
    draws = generator("concepts separation", seed, *bank.names)
    limits = bootstrap_interval(truth, groups, settings["bootstrap"], draws)
    parts = zip(
        separation.whole_scatter(concepts, labels, k),
        separation.scatter(references, labels, k),
        strict=True,
    )
    ratios = np.array([np.concatenate(both) for both in parts]).T  # (1 + r, 3)
    control = accuracy[:, 1:]
    bounds = np.quantile(control, [0.025, 0.975], axis=1).T
    explained = [1.0, *np.cumsum(basis.explained).tolist()]
    above = np.flatnonzero(limits[1:, 0] > settings["threshold"])
    needed = int(above[0]) + 1 if len(above) else None
    names = ("ratio", "ratio_low", "ratio_high")
    return [
        {
            **{"components": n, "explained": explained[n]},
            **{name: _finite(value) for name, value in zip(names, ratios[n], strict=True)},
            **{"accuracy": float(accuracy[n, 0]), "chance": 1 / k},
            **{"ci_low": float(limits[n, 0]), "ci_high": float(limits[n, 1])},
            **{"control": float(control[n].mean()), "control_low": float(bounds[n, 0])},
            **{"control_high": float(bounds[n, 1]), "n": len(labels)},
            **{"groups": len(np.unique(groups)), "needed": needed},
            "threshold": settings["threshold"],
        }
        for n in range(len(right))
    ]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
