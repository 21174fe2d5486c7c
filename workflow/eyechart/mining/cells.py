"""Candidate search through faiss: only images of nearby cells are compared.

faiss divides the first encoder's features into cells (spherical k-means) and finds the ``probes``
cells nearest to each image. Two images are compared where the cell of one is among the cells of the
other, by :mod:`eyechart.mining.search`: what is found is exact, and only what is not compared can
be missed. (faiss' own ``contrib.big_batch_search`` also compares cell by cell, since a product of
matrices is many times as fast as a scan per image, but it keeps a fixed number of neighbours.)
``probes`` is chosen, and recall measured, on planted pairs: an image, and a vector whose cosine
with it is exactly ``similar``, in a random direction.
"""

import math
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from scipy.sparse import csr_array

from eyechart.core.errors import UserError
from eyechart.core.randomness import generator
from eyechart.mining.search import Blocks
from eyechart.statistics.intervals import share_interval

PER_CELL = 40  # images of a cell that k-means sees
STEPS = 10  # of k-means
ROWS = 8192  # images whose cells are looked up at once
PLANTED = 10_000  # pairs that the probes are chosen on, and as many that recall is measured on
MOST_PROBES = 256


@dataclass(frozen=True)
class Cells:
    """The cells near to each of n images, nearest first, (n, p), and what is said of the search."""

    near: np.ndarray
    note: dict[str, Any]  # cells, probes; found, planted, low, high: recall

    def memory_bound(self, width: int) -> int:
        """Return the most bytes held besides the search: 20 n p, and 320 c d in k-means."""
        return int(20 * self.near.size + 8 * PER_CELL * self.note["cells"] * width)

    def blocks(self, block: int) -> list[Blocks]:
        """Return the rows that are compared: all that are near to a cell, and the cell's own."""
        n, probes = self.near.shape
        ends = np.arange(0, n * probes + 1, probes)
        by_cell = csr_array((np.ones(n * probes, np.int8), self.near.ravel(), ends)).tocsc()
        found: list[Blocks] = []
        for cell, rows in enumerate(np.split(by_cell.indices, by_cell.indptr[1:-1])):
            own = rows[self.near[rows, 0] == cell]
            found += [
                (rows[i : i + block], own[j : j + block])
                for i in range(0, len(rows), block)
                for j in range(0, len(own), block)
            ]
        return found

    def left_out(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return which pairs, (r, c), are the same image, or are compared in the cell of a."""
        met = np.zeros((len(a), len(b)), bool)
        cell = self.near[a, 0, None]
        for near in self.near[b].T:
            met |= cell == near
        met &= a[:, None] >= b
        return met


def divide(first: np.ndarray, similar: float, recall: float) -> Cells:
    """Return the cells of the first encoder's features, (n, d), rows of length 1.

    So many cells are near to an image that a planted pair is compared with probability ``recall``:
    the lower end of the interval on half of the planted pairs is above it. The note's figures are
    of the other half. Raise a UserError if that needs more than ``MOST_PROBES``.
    """
    n, width = first.shape
    count = max(1, min(n, int(2 * math.sqrt(n))))
    chosen = generator("mining cells").choice(n, min(n, PER_CELL * count), replace=False)
    more = {"min_points_per_centroid": 1, "max_points_per_centroid": PER_CELL}
    means = faiss.Kmeans(width, count, niter=STEPS, spherical=True, seed=1, **more)
    means.train(first[np.sort(chosen)])
    cells = np.asarray(means.centroids)
    ranks, held_out = (needed_probes(first, cells, similar, half) for half in ("choose", "measure"))
    probes = next((int(p) for p in np.unique(ranks) if _interval(ranks <= p)[0] >= recall), count)
    if probes > MOST_PROBES:
        raise UserError(
            f"mining.recall: {recall} takes {probes} of {count} cells per image, expected at most "
            f"{MOST_PROBES}: ask for less, or set mining.engine: exact"
        )
    near = np.empty((n, probes), np.int32)
    for start in range(0, n, ROWS):
        near[start : start + ROWS] = means.index.search(first[start : start + ROWS], probes)[1]
    low, high = _interval(held_out <= probes)
    said = {"cells": count, "probes": probes, "found": int((held_out <= probes).sum())}
    return Cells(near, {**said, "planted": PLANTED, "low": round(low, 4), "high": round(high, 4)})


def needed_probes(first: np.ndarray, cells: np.ndarray, similar: float, name: str) -> np.ndarray:
    """Return how many cells must be near to an image for each planted pair to be compared."""
    rng, found = generator("mining planted", name), []
    for _ in range(0, PLANTED, 1000):
        x = first[rng.integers(len(first), size=1000)]
        away = rng.standard_normal(x.shape, np.float32)
        away -= (away * x).sum(1, keepdims=True) * x
        away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-30)
        twin = similar * x + math.sqrt(1 - similar**2) * away
        scores = x @ cells.T, twin @ cells.T  # each (1000, c)
        own = [one.argmax(1) for one in scores]
        ranks = [
            (one > np.take_along_axis(one, other[:, None], 1)).sum(1)
            for one, other in zip(scores, own[::-1], strict=True)
        ]
        found.append(np.minimum(*ranks) + 1)
    return np.concatenate(found)


def _interval(found: np.ndarray) -> tuple[float, float]:
    return share_interval(found, np.arange(len(found)))
