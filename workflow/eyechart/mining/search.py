"""Search for pairs of images that one encoder finds similar and another different.

Two blocks of images are compared at a time in float32. Rounding changes a cosine of width d by at
most about d · 2⁻²⁴ (Higham 2002, section 3.1, for unit rows), so pairs closer than this to a
threshold are decided in float64. The result therefore does not depend on the size of the blocks, on
the library that multiplies them, or on how they are divided among jobs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

PAIRS = 1024  # pairs whose cosines are computed in float64 at once
FIELDS = np.dtype([("i", "i8"), ("j", "i8"), ("first", "f8"), ("second", "f8")])
Features = tuple[np.ndarray, np.ndarray]  # from the first and the second encoder
Rows = range | np.ndarray  # in order
Blocks = tuple[Rows, Rows]
Masked = Callable[[np.ndarray, np.ndarray], np.ndarray]


def memory_bound(features: Features, settings: dict[str, Any], rows: int | None = None) -> int:
    """Bound a search's peak memory in bytes, including the mapped features of ``rows`` images.

    4 r (d₁ + d₂) + 24 b² + 8 b (d₁ + d₂) + 16 · 1024 · max(d₁, d₂) + 256 (m + 1024), where features
    have widths d₁ and d₂, b is the smaller of ``block`` and n, and m is ``most``; r is n unless the
    search covers only two parts.
    """
    (n, first), second = features[0].shape, features[1].shape[1]
    b, most = min(settings["block"], n), settings["most"]
    blocks = 24 * b * b + 8 * b * (first + second)
    pairs = 16 * PAIRS * max(first, second) + 256 * (most + PAIRS)
    return int(4 * (n if rows is None else rows) * (first + second) + blocks + pairs)


@dataclass
class SearchResult:
    """The results of a search so far: the kept pairs, and statistics of all compared pairs."""

    most: int
    matching: int = 0  # pairs that match, kept or not
    highest_first: float = -1.0  # highest cosine of any pair in the first encoder, to float32
    # lowest cosine in the second encoder among pairs above the first's threshold, to float32; 2 if
    # there are none
    lowest_second: float = 2.0
    # structured array; the ``most`` pairs with the widest gap (``first`` − ``second``), widest
    # first, then by ids
    best: np.ndarray = field(default_factory=lambda: np.empty(0, FIELDS))

    def least_gap(self) -> float:
        """Return the gap that a pair must reach to be kept."""
        full = len(self.best) == self.most > 0
        return float(self.best["first"][-1] - self.best["second"][-1]) if full else -np.inf

    def add(self, pairs: np.ndarray) -> None:
        """Count matching pairs, and keep those with the largest gaps."""
        self.matching += len(pairs)
        together = np.concatenate([self.best, pairs])
        gap = together["first"] - together["second"]
        order = np.lexsort((together["j"], together["i"], -gap))
        self.best = together[order[: self.most]]


def rows_of(n: int, parts: int, part: int) -> range:
    """Return the rows of one part of n images; the last parts are empty if n is small."""
    size = -(-n // parts)
    return range(min(n, part * size), min(n, (part + 1) * size))


def all_blocks(first: range, second: range, block: int) -> list[Blocks]:
    """Return the rows of all pairs of blocks, one from each range, including a block with itself.

    If both ranges are the same, each pair of blocks is returned once.
    """
    return [
        (range(i, min(i + block, first.stop)), range(j, min(j + block, second.stop)))
        for i in range(first.start, first.stop, block)
        for j in range(max(i, second.start), second.stop, block)
    ]


def not_in_order(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return for which pairs of rows, (r, c), ``a`` is not before ``b``.

    An exact search leaves these out so that each pair counts once, since it compares blocks with
    themselves.
    """
    found: np.ndarray = a[:, None] >= b
    return found


def search(
    features: Features,
    settings: dict[str, Any],
    blocks: Sequence[Blocks] | None = None,
    left_out: Masked = not_in_order,
) -> SearchResult:
    """Find pairs with a cosine above ``similar`` in one encoder, below ``different`` in the other.

    Blocks without a pair above the first threshold are not compared in the second encoder.

    Parameters
    ----------
    features : two ndarrays, float32, shapes (n, d₁) and (n, d₂); rows of unit length, for the same
        images in the order of their ids
    settings : ``similar``, ``different`` (cosines), ``block`` (images per block), ``most`` (pairs
        kept; all are counted)
    blocks : the rows to compare; by default all
    left_out : function from rows (r,) and (c,) to the pairs, (r, c), that are compared elsewhere
    """
    found = SearchResult(settings["most"])
    everything = range(len(features[0]))
    if blocks is None:
        blocks = all_blocks(everything, everything, settings["block"])
    for places in tqdm(blocks, desc="blocks", unit="block", mininterval=5):
        _compare(found, features, places, settings, left_out)
    return found


def _compare(
    found: SearchResult,
    features: Features,
    places: Blocks,
    settings: dict[str, Any],
    left_out: Masked,
) -> None:
    """Compare two blocks in the first encoder, and the similar pairs in the second."""
    (first, second), (a, b) = features, map(np.asarray, places)
    cosines = first[a] @ first[b].T  # (r, c)
    if a[-1] >= b[0] and b[-1] >= a[0]:
        cosines[a[:, None] == b] = -2.0  # never an image with itself
    found.highest_first = max(found.highest_first, float(cosines.max()))
    above = cosines > settings["similar"] - _margin(first)
    rows, columns = np.flatnonzero(above.any(axis=1)), np.flatnonzero(above.any(axis=0))
    if len(rows):
        del above
        a, b = a[rows], b[columns]
        cosines = cosines[np.ix_(rows, columns)]
        cosines[left_out(a, b)] = -2.0
        others = second[a] @ second[b].T  # (r, c)
        _decide(found, features, (a, b), (cosines, others), settings)


def _decide(
    found: SearchResult,
    features: Features,
    places: tuple[np.ndarray, np.ndarray],
    cosines: tuple[np.ndarray, np.ndarray],
    settings: dict[str, Any],
) -> None:
    """Count and keep the pairs at ``places`` whose cosines, (r, c) in each encoder, match."""
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
        both = np.sort([places[0][rows], places[1][columns]], axis=0)
        pairs["i"], pairs["j"] = both
        for name, values in zip(("first", "second"), features, strict=True):
            product = np.multiply(values[pairs["i"]], values[pairs["j"]], dtype=np.float64)
            pairs[name] = product.sum(axis=1)
        found.add(pairs[(pairs["first"] > similar) & (pairs["second"] < different)])


def _margin(features: np.ndarray) -> float:
    """Bound the difference between a cosine in float32 and in float64."""
    return float((features.shape[1] + 8) * 2.0**-24)
