"""Correlation of few points, with a permutation p and a bootstrap interval."""

from functools import lru_cache, partial
from itertools import chain, permutations
from math import factorial
from typing import NamedTuple

import numpy as np

from eyechart.statistics.bootstrap import ENDS

FEWEST = 3  # with two points every correlation is 1 or -1


class Correlation(NamedTuple):
    """A correlation; null fields if it is undefined, a null interval if most resamples are."""

    r: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None


UNDEFINED = Correlation(None, None, None, None)


def correlate(
    x: np.ndarray, y: np.ndarray, kind: str, draws: int, permuted: int, rng: np.random.Generator
) -> Correlation:
    """Return the correlation of two arrays with its interval and p.

    Parameters
    ----------
    x, y : float, shape (n,)
    kind : str
        ``pearson``, or ``spearman``: Pearson's of the ranks, where ties get their mean rank.
    draws : int
        The number of bootstrap draws over points. Draws in which ``x`` or ``y`` is constant are
        left out. If fewer than half remain, the interval is null.
    permuted : int
        The maximum number of permutations. If n! is at most this, all are tried and p is exact;
        otherwise this many random ones are drawn.
    rng : numpy.random.Generator

    Returns
    -------
    Correlation
        r is null for fewer than three points, or if ``x`` or ``y`` is constant. p is two-sided: the
        share of permutations of y with a correlation at least as far from 0.

    Notes
    -----
    Source: the permutation test of Pitman 1937. Random permutations include the observed order
    (Phipson & Smyth 2010), so p is never 0.
    """
    from scipy.stats import pearsonr, rankdata, spearmanr  # noqa: PLC0415

    n = len(x)
    if n < FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return UNDEFINED
    level = partial(rankdata, axis=-1) if kind == "spearman" else np.asarray
    picks = rng.integers(n, size=(draws, n))
    low = high = None
    with np.errstate(invalid="ignore"):  # 0 / 0 where a draw does not vary
        drawn = (_unit(level(x[picks])) * _unit(level(y[picks]))).sum(-1)
    usable = np.clip(drawn, -1, 1)[(np.ptp(x[picks], axis=1) > 0) & (np.ptp(y[picks], axis=1) > 0)]
    if 2 * len(usable) >= draws:
        low, high = (float(q) for q in np.quantile(usable, ENDS))
    r = float((spearmanr if kind == "spearman" else pearsonr)(x, y).statistic)
    one, two = (_unit(level(values)) for values in (x, y))
    exact = factorial(n) <= permuted
    order = _all_orders(n) if exact else rng.permuted(np.tile(np.arange(n), (permuted, 1)), axis=1)
    far = np.abs(two[order] @ one) >= abs(r) - 1e-12  # ties count as equal despite rounding
    p = far.mean() if exact else (far.sum() + 1) / (permuted + 1)
    return Correlation(r, low, high, float(p))


def _unit(values: np.ndarray) -> np.ndarray:
    """Return deviations from the mean along the last axis, scaled to length 1; NaN if all are 0."""
    away = values - values.mean(-1, keepdims=True)
    unit: np.ndarray = away / np.sqrt((away * away).sum(-1, keepdims=True))
    return unit


@lru_cache(maxsize=2)
def _all_orders(n: int) -> np.ndarray:
    """Return all permutations of n positions, (n!, n)."""
    flat = chain.from_iterable(permutations(range(n)))
    return np.fromiter(flat, np.int8, count=n * factorial(n)).reshape(-1, n)
