"""Intervals by group that keep their coverage with few items.

The percentile bootstrap of 30 correct answers is a single point, and no decision may be based on
it. These functions instead add a few pseudo-groups, half of them correct and half wrong. This
widens intervals for few items and hardly changes those for many.
"""

import numpy as np
from scipy.special import stdtr, stdtrit

FEW = 10  # with fewer groups, the bootstrap interval is meaningless
LEVEL = 0.975  # the upper end of a two-sided 95% interval


def share_interval(
    right: np.ndarray, groups: np.ndarray, level: float = LEVEL
) -> tuple[float, float]:
    """Return the interval of a mean of values in [0, 1], by group; two-sided 95% by default.

    Parameters
    ----------
    right : float, shape (n,)
    groups : str, shape (n,)
    level : float
        The one-sided level of each end.

    Notes
    -----
    Source: Agresti & Coull 1998, "plus four": two correct and two wrong observations are added.
    Here these are groups of mean size. The variance is that of a ratio over groups, and the
    quantile is from Student's t for their number.
    """
    value, spread, df = _ratio(*_by_group(right, groups), added=(0.0, 0.0, 1.0, 1.0))
    reach = float(stdtrit(df, level)) * spread
    return max(0.0, value - reach), min(1.0, value + reach)


def paired_interval(
    first: np.ndarray, second: np.ndarray, groups: np.ndarray, level: float = LEVEL
) -> tuple[float, float]:
    """Return the interval of the mean of ``first - second`` on the same items, by group.

    It is a two-sided 95% interval by default; ``level`` is the one-sided level of each end.

    Notes
    -----
    Source: Bonett & Price 2012: one disagreement in each direction is added; here, two groups of
    mean size.
    """
    value, spread, df = _ratio(*_by_group(first - second, groups), added=(-1.0, 1.0))
    reach = float(stdtrit(df, level)) * spread
    return max(-1.0, value - reach), min(1.0, value + reach)


def unpaired_interval(
    first: np.ndarray, first_groups: np.ndarray, second: np.ndarray, second_groups: np.ndarray
) -> tuple[float, float, float]:
    """Return the 95% interval and two-sided p of the difference of two means on different items.

    Notes
    -----
    Source: Agresti & Caffo 2000: one correct and one wrong observation are added to each sample.
    Here these are groups, and Student's t uses the smaller number of groups.
    """
    one, one_spread, one_df = _ratio(*_by_group(first, first_groups), added=(0.0, 1.0))
    two, two_spread, two_df = _ratio(*_by_group(second, second_groups), added=(0.0, 1.0))
    spread, df = float(np.hypot(one_spread, two_spread)), min(one_df, two_df)
    reach = float(stdtrit(df, LEVEL)) * spread
    p = float(2 * stdtr(df, -abs(one - two) / spread))
    return max(-1.0, one - two - reach), min(1.0, one - two + reach), p


def mean_interval(values: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Return the 95% interval of the mean of any values, by group, from Student's t.

    The interval is NaN for a single group.
    """
    if len(np.unique(groups)) < 2:
        return float("nan"), float("nan")
    value, spread, df = _ratio(*_by_group(values, groups), added=())
    reach = float(stdtrit(df, LEVEL)) * spread
    return value - reach, value + reach


def _by_group(values: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum and the size of each group, both (g,)."""
    _, code = np.unique(groups, return_inverse=True)
    return np.bincount(code, weights=values), np.bincount(code).astype(float)


def _ratio(
    sums: np.ndarray, sizes: np.ndarray, added: tuple[float, ...]
) -> tuple[float, float, int]:
    """Return the ratio, its standard error and its df, after adding groups of mean size."""
    more = np.full(len(added), sizes.mean())
    sums = np.concatenate([sums, np.array(added) * more])
    sizes = np.concatenate([sizes, more])
    value, g = sums.sum() / sizes.sum(), len(sums)
    spread = np.sqrt(g / (g - 1) * ((sums - value * sizes) ** 2).sum()) / sizes.sum()
    return float(value), float(spread), g - 1
