"""Intervals by group that keep their coverage for few items.

The percentile bootstrap of 30 correct answers is a single point, which no class may be based on.
Here a few pseudo-groups are added instead, half of them correct and half wrong. They widen the
intervals of few items, and have no effect on many.
"""

import numpy as np
from scipy.special import stdtr, stdtrit

FEW = 10  # groups; with fewer the bootstrap's interval is no interval
LEVEL = 0.975  # the upper end of two-sided 95 %


def share_interval(
    right: np.ndarray, groups: np.ndarray, level: float = LEVEL
) -> tuple[float, float]:
    """Return an interval of a mean of values in [0, 1], by group; two-sided 95 % by default.

    Parameters
    ----------
    right : float, shape (n,)
    groups : str, shape (n,)
    level : float
        Of each end alone.

    Notes
    -----
    Source: Agresti & Coull 1998, "plus four": two more correct and two more wrong; here four groups
    of the mean size, with the variance of a ratio over groups and Student's t of their number.
    """
    value, spread, df = _ratio(*_by_group(right, groups), added=(0.0, 0.0, 1.0, 1.0))
    reach = float(stdtrit(df, level)) * spread
    return max(0.0, value - reach), min(1.0, value + reach)


def paired_interval(
    first: np.ndarray, second: np.ndarray, groups: np.ndarray, level: float = LEVEL
) -> tuple[float, float]:
    """Return an interval of the mean of ``first - second`` on the same items, by group.

    It is a two-sided 95 % by default; ``level`` is that of each end alone.

    Notes
    -----
    Source: Bonett & Price 2012: one more disagreement each way; here two groups of the mean size.
    """
    value, spread, df = _ratio(*_by_group(first - second, groups), added=(-1.0, 1.0))
    reach = float(stdtrit(df, level)) * spread
    return max(-1.0, value - reach), min(1.0, value + reach)


def unpaired_interval(
    first: np.ndarray, first_groups: np.ndarray, second: np.ndarray, second_groups: np.ndarray
) -> tuple[float, float, float]:
    """Return a 95 % interval of the difference of two means on different items, and a two-sided p.

    Notes
    -----
    Source: Agresti & Caffo 2000: one more correct and one more wrong in each of the two. Here these
    are groups, with Student's t of the smaller number of groups.
    """
    one, one_spread, one_df = _ratio(*_by_group(first, first_groups), added=(0.0, 1.0))
    two, two_spread, two_df = _ratio(*_by_group(second, second_groups), added=(0.0, 1.0))
    spread, df = float(np.hypot(one_spread, two_spread)), min(one_df, two_df)
    reach = float(stdtrit(df, LEVEL)) * spread
    p = float(2 * stdtr(df, -abs(one - two) / spread))
    return max(-1.0, one - two - reach), min(1.0, one - two + reach), p


def mean_interval(values: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Return a 95 % interval of the mean of any values, by group: Student's t of their number.

    NaN for a single group.
    """
    if len(np.unique(groups)) < 2:
        return float("nan"), float("nan")
    value, spread, df = _ratio(*_by_group(values, groups), added=())
    reach = float(stdtrit(df, LEVEL)) * spread
    return value - reach, value + reach


def _by_group(values: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sums and sizes of all groups, each (g,)."""
    _, code = np.unique(groups, return_inverse=True)
    return np.bincount(code, weights=values), np.bincount(code).astype(float)


def _ratio(
    sums: np.ndarray, sizes: np.ndarray, added: tuple[float, ...]
) -> tuple[float, float, int]:
    """Return sum over size with groups of the mean size added, its standard error and its df."""
    more = np.full(len(added), sizes.mean())
    sums = np.concatenate([sums, np.array(added) * more])
    sizes = np.concatenate([sizes, more])
    value, g = sums.sum() / sizes.sum(), len(sums)
    spread = np.sqrt(g / (g - 1) * ((sums - value * sizes) ** 2).sum()) / sizes.sum()
    return float(value), float(spread), g - 1
