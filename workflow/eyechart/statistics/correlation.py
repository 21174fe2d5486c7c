"""Correlation over few points: permutation p and bootstrap interval, nothing asymptotic."""

from functools import lru_cache, partial
from itertools import chain, permutations
from math import factorial
from typing import NamedTuple

import numpy as np

from eyechart.statistics.bootstrap import ENDS

FEWEST = 3  # with two points every correlation is 1 or -1


class Correlation(NamedTuple):
    """A correlation; all null if it is undefined, the interval if it is in most resamples."""

    r: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None


UNDEFINED = Correlation(None, None, None, None)


def correlate(
    x: np.ndarray, y: np.ndarray, kind: str, draws: int, permuted: int, rng: np.random.Generator
) -> Correlation:
    """Return a correlation of two rows of values with its interval and p.

    Parameters
    ----------
    x, y : float, shape (n,)
    kind : str
        ``pearson``, or ``spearman``: the same of the ranks, equal values sharing their mean rank.
    draws : int
        Of the bootstrap over points. Draws in which a row does not vary are left out; if fewer than
        half are left, the interval is null.
    permuted : int
        How many permutations may be tried: if n! is not more, all are tried, so that p is exact,
        else so many random ones.
    rng : numpy.random.Generator

    Returns
    -------
    Correlation
        r is null for fewer than three points, or where a row does not vary. p is two-sided: the
        share of permutations of y whose correlation is at least as far from 0.

    Notes
    -----
    Source: permutation test after Pitman 1937; a random one counts the observed order among its
    permutations (Phipson & Smyth 2010), so p is never 0.
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
    far = np.abs(two[order] @ one) >= abs(r) - 1e-12  # rounding must not lose equals
    p = far.mean() if exact else (far.sum() + 1) / (permuted + 1)
    return Correlation(r, low, high, float(p))


def _unit(values: np.ndarray) -> np.ndarray:
    """Return deviations from the mean along the last axis, of length 1; nan if all are 0."""
    away = values - values.mean(-1, keepdims=True)
    unit: np.ndarray = away / np.sqrt((away * away).sum(-1, keepdims=True))
    return unit


@lru_cache(maxsize=2)
def _all_orders(n: int) -> np.ndarray:
    """Return all permutations of n positions, (n!, n)."""
    flat = chain.from_iterable(permutations(range(n)))
    return np.fromiter(flat, np.int8, count=n * factorial(n)).reshape(-1, n)
