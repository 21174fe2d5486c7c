"""Candidate search with faiss, which compares only images of nearby cells.

faiss divides the first encoder's features into cells (spherical k-means) and finds the ``probes``
cells nearest to each image. Two images are compared, by :mod:`eyechart.mining.search`, if the cell
of one is among the cells of the other. Pairs found are exact; only pairs that are not compared can
be missed. (faiss's ``contrib.big_batch_search`` also compares cell by cell, since a matrix product
is many times faster than a scan per image, but it keeps a fixed number of neighbours.) ``probes``
is chosen and recall is measured on planted pairs: an image, and a vector in a random direction with
cosine exactly ``similar`` to it.
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

PER_CELL = 40  # images per cell used for k-means
STEPS = 10  # k-means iterations
ROWS = 8192  # images whose cells are looked up at once
PLANTED = 10_000  # pairs for choosing the probes, and as many for measuring recall
MOST_PROBES = 256


@dataclass(frozen=True)
class Cells:
    """The p cells nearest to each of n images, nearest first, (n, p), and a note on the search."""

    near: np.ndarray
    note: dict[str, Any]  # cells, probes; found, planted, low, high: recall

    def memory_bound(self, width: int) -> int:
        """Bound the peak memory in bytes, except the search's: 20 n p, and 320 c d in k-means."""
        return int(20 * self.near.size + 8 * PER_CELL * self.note["cells"] * width)

    def blocks(self, block: int) -> list[Blocks]:
        """Return the rows to compare: for each cell, all images near it with the cell's own."""
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
        """Return which pairs, (r, c), are one image twice or are compared in the cell of ``a``."""
        met = np.zeros((len(a), len(b)), bool)
        cell = self.near[a, 0, None]
        for near in self.near[b].T:
            met |= cell == near
        met &= a[:, None] >= b
        return met


def divide(first: np.ndarray, similar: float, recall: float) -> Cells:
    """Return the cells of the first encoder's features, (n, d), with rows of unit length.

    The number of cells per image is the smallest at which planted pairs are compared with
    probability ``recall``: on half of the planted pairs, the interval's lower bound is above
    ``recall``. The note reports recall on the other half. Raise a UserError if this needs more than
    ``MOST_PROBES``.
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
            f"mining.recall: {recall} needs {probes} of {count} cells per image, expected at most "
            f"{MOST_PROBES}: request a lower recall, or set mining.engine: exact"
        )
    near = np.empty((n, probes), np.int32)
    for start in range(0, n, ROWS):
        near[start : start + ROWS] = means.index.search(first[start : start + ROWS], probes)[1]
    low, high = _interval(held_out <= probes)
    said = {"cells": count, "probes": probes, "found": int((held_out <= probes).sum())}
    return Cells(near, {**said, "planted": PLANTED, "low": round(low, 4), "high": round(high, 4)})


def needed_probes(first: np.ndarray, cells: np.ndarray, similar: float, name: str) -> np.ndarray:
    """Return the number of cells per image at which each planted pair is compared."""
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
