"""Bootstrap over groups: means over items and their 95% percentile intervals.

Items of one group, such as questions about one image, are not independent, so whole groups are
resampled with replacement. All columns of one table share the draws.
"""

from dataclasses import dataclass

import numpy as np

from eyechart.statistics.intervals import FEW, share_interval

ENDS = [0.025, 0.975]  # of a 95% percentile interval


@dataclass(frozen=True)
class Means:
    """Means of m columns with intervals, each shape (m,); NaN for a column without values."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray


class GroupBootstrap:
    """Bootstrap draws of groups, shared by all statistics of the same items.

    Parameters
    ----------
    groups : str, shape (n,)
        The group of each item.
    draws : int
        Memory: ``8 * draws * groups`` bytes.
    rng : numpy.random.Generator

    Attributes
    ----------
    code : int, shape (n,)
        The index of each item's group.
    g : int
        The number of groups.
    counts : float, shape (draws, g)
        How often each draw contains each group.
    """

    def __init__(self, groups: np.ndarray, draws: int, rng: np.random.Generator) -> None:
        distinct, self.code = np.unique(groups, return_inverse=True)
        self.g = len(distinct)
        self.counts = rng.multinomial(self.g, np.full(self.g, 1 / self.g), size=draws).astype(float)

    def means(self, values: np.ndarray) -> Means:
        """Return the mean of each column of ``values`` (n, m) over its finite values."""
        known = np.isfinite(values)
        total = group_sums(values, self.code)
        count = group_sums(known[:, :1] if known.all() else known, self.code)  # (g, 1 or m)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = total.sum(0) / count.sum(0)
            drawn = (self.counts @ total) / (self.counts @ count)  # (draws, m)
        low, high = np.full(len(value), np.nan), np.full(len(value), np.nan)
        some = np.isfinite(value)
        if some.any():  # a draw may miss every item of a column
            quantile = np.quantile if np.isfinite(drawn[:, some]).all() else np.nanquantile
            low[some], high[some] = quantile(drawn[:, some], ENDS, axis=0)
        return Means(value, low, high, known.sum(0))


def group_sums(values: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Return the sum of each column (n, m) in each group, (g, m); non-finite values count as 0.

    ``code`` (n,) is each item's group, numbered from 0; every group has a row.
    """
    finite = np.nan_to_num(values.astype(float), posinf=0.0, neginf=0.0)
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    return np.add.reduceat(finite[order], starts, axis=0)


def bootstrap_interval(
    correct: np.ndarray, groups: np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Return 95% percentile intervals of accuracies, resampling groups with replacement.

    With fewer than ``FEW`` groups, :func:`share_interval` is used instead.

    Parameters
    ----------
    correct : ndarray of bool or float, shape (m, n)
        One row per probe.
    groups : str, shape (n,)
    draws : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float64, shape (m, 2)
    """
    if len(np.unique(groups)) < FEW:
        return np.array([share_interval(row, groups) for row in np.asarray(correct, float)])
    found = GroupBootstrap(groups, draws, rng).means(np.asarray(correct).T)
    return np.stack([found.low, found.high], axis=1)
