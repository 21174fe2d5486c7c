"""Exact search, block by block, for pairs that one encoder finds similar and another different.

Two blocks of images are compared at a time, in float32. Rounding changes a cosine of width d by at
most about d · 2⁻²⁴ (Higham 2002, section 3.1, with rows of length 1), so a pair that is nearer to a
threshold is decided by the cosine in float64. The result therefore depends neither on the size of
the blocks nor on the library that multiplies them.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

PAIRS = 1024  # pairs whose cosines are computed in float64 at once
FIELDS = np.dtype([("i", "i8"), ("j", "i8"), ("first", "f8"), ("second", "f8")])
Features = tuple[np.ndarray, np.ndarray]  # of the first and the second encoder


def memory_bound(features: Features, settings: dict[str, Any]) -> int:
    """Return the most bytes that a search holds, its features included.

    4 n (d₁ + d₂) + 24 b² + 8 b d₂ + 16 · 1024 · max(d₁, d₂) + 256 (m + 1024), where n images have
    features of widths d₁ and d₂, b is the smaller of ``block`` and n, and m is ``most``.
    """
    (n, first), second = features[0].shape, features[1].shape[1]
    b, most = min(settings["block"], n), settings["most"]
    blocks = 24 * b * b + 8 * b * second
    pairs = 16 * PAIRS * max(first, second) + 256 * (most + PAIRS)
    return int(4 * n * (first + second) + blocks + pairs)


@dataclass
class SearchResult:
    """The result of a search so far."""

    most: int
    matching: int = 0  # pairs that match, kept or not
    highest_first: float = -1.0  # highest cosine of any pair in the first encoder, to float32
    # lowest cosine in the second of pairs above the first's threshold, to float32; 2 if none is
    lowest_second: float = 2.0
    # structured array; the ``most`` pairs with the widest gap (``first`` − ``second``), widest
    # first, then by ids
    best: np.ndarray = field(default_factory=lambda: np.empty(0, FIELDS))

    def least_gap(self) -> float:
        """Return the gap that a pair must reach to be kept."""
        full = len(self.best) == self.most > 0
        return float(self.best["first"][-1] - self.best["second"][-1]) if full else -np.inf

    def add(self, pairs: np.ndarray) -> None:
        """Count matching pairs and keep the best."""
        self.matching += len(pairs)
        together = np.concatenate([self.best, pairs])
        gap = together["first"] - together["second"]
        order = np.lexsort((together["j"], together["i"], -gap))
        self.best = together[order[: self.most]]


def search(features: Features, settings: dict[str, Any]) -> SearchResult:
    """Find pairs with a cosine above ``similar`` in the first, below ``different`` in the second.

    Blocks without a pair above the first threshold are not compared in the second encoder.

    Parameters
    ----------
    features : two ndarrays, float32, shapes (n, d₁) and (n, d₂); rows of length 1, of the same
        images in the order of their ids
    settings : ``similar``, ``different`` (cosines), ``block`` (images of a block), ``most`` (pairs
        kept; all are counted)
    """
    found = SearchResult(settings["most"])
    starts = range(0, len(features[0]), settings["block"])
    corners = [(i, j) for i in starts for j in starts if i <= j]
    for i, j in tqdm(corners, desc="blocks", unit="block", mininterval=5):
        _compare(found, features, (i, j), settings)
    return found


def _compare(
    found: SearchResult, features: Features, corner: tuple[int, int], settings: dict[str, Any]
) -> None:
    """Compare two blocks in the first encoder, and the similar pairs in the second."""
    (first, second), (i, j), block = features, corner, settings["block"]
    cosines = first[i : i + block] @ first[j : j + block].T  # (b, b)
    if i == j:
        cosines[np.tri(len(cosines), dtype=bool)] = -2.0  # each pair once, no image with itself
    found.highest_first = max(found.highest_first, float(cosines.max()))
    above = cosines > settings["similar"] - _margin(first)
    rows, columns = np.flatnonzero(above.any(axis=1)), np.flatnonzero(above.any(axis=0))
    if len(rows):
        del above
        cosines = cosines[np.ix_(rows, columns)]
        others = second[i + rows] @ second[j + columns].T  # (r, c)
        _decide(found, features, (i + rows, j + columns), (cosines, others), settings)


def _decide(
    found: SearchResult,
    features: Features,
    places: tuple[np.ndarray, np.ndarray],
    cosines: tuple[np.ndarray, np.ndarray],
    settings: dict[str, Any],
) -> None:
    """Count and keep the pairs of ``places`` whose cosines, (r, c) in each encoder, match."""
    (one, two), similar, different = cosines, settings["similar"], settings["different"]
    lowest = float(np.min(two, where=one > similar, initial=2.0))
    found.lowest_second = min(found.lowest_second, lowest)
    margins = [_margin(values) for values in features]
    near = np.flatnonzero((one > similar - margins[0]) & (two < different + margins[1]))
    for start in range(0, len(near), PAIRS):
        at = near[start : start + PAIRS]
        a, b = one.flat[at], two.flat[at]
        clear = (a > similar + margins[0]) & (b < different - margins[1])
        low = clear & (a - b + sum(margins) < found.least_gap())
        found.matching += int(low.sum())  # these match, but others are better
        rows, columns = np.divmod(at[~low], one.shape[1])
        pairs = np.empty(len(rows), FIELDS)
        pairs["i"], pairs["j"] = places[0][rows], places[1][columns]
        for name, values in zip(("first", "second"), features, strict=True):
            product = np.multiply(values[pairs["i"]], values[pairs["j"]], dtype=np.float64)
            pairs[name] = product.sum(axis=1)
        found.add(pairs[(pairs["first"] > similar) & (pairs["second"] < different)])


def _margin(features: np.ndarray) -> float:
    """Return how far a float32 cosine may differ from the float64 one."""
    return float((features.shape[1] + 8) * 2.0**-24)
