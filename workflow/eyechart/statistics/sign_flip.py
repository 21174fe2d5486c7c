"""The sign-flip test of paired differences by group; for values of 0 and 1, McNemar's test."""

import numpy as np
from scipy.special import ndtr

from eyechart.statistics.bootstrap import group_sums


def sign_flip_exact(first: np.ndarray, second: np.ndarray, groups: np.ndarray, unit: int) -> float:
    """Return the exact two-sided p of the sum of paired differences under sign flips by group.

    Under the null, the sign of each group's difference is a coin flip. If every item is its own
    group and every value is 0 or 1, this is McNemar's exact test.

    Parameters
    ----------
    first, second : float, shape (n,)
        Values of two stages on the same items, in multiples of ``1 / unit``.
    groups : str, shape (n,)
    unit : int

    Notes
    -----
    Source: Fisher 1935 and Pitman 1937. The full distribution of the sum is computed group by
    group, so there is no random sampling.
    """
    _, code = np.unique(groups, return_inverse=True)
    sums = group_sums((first.astype(float) - second)[:, None], code)[:, 0]
    steps = np.rint(np.abs(sums) * unit).astype(int)
    steps = steps[steps > 0]
    if not len(steps):
        return 1.0
    steps //= np.gcd.reduce(steps)
    total = int(steps.sum())
    chance = np.zeros(total + 1)  # of each sum of flipped steps, from 0 to total
    chance[0] = 1.0
    for reached, step in zip(np.cumsum(steps), steps, strict=True):
        part = chance[: reached + 1]
        # the right-hand side is a new array, so it still has the old values
        part[step:] = part[step:] + part[: reached + 1 - step]
        part /= 2
    favoured = sums[np.rint(np.abs(sums) * unit) > 0] > 0
    above = int(steps[favoured].sum())
    tail = min(above, total - above)
    return float(min(1.0, 2 * chance[: tail + 1].sum()))


def sign_flip_normal(first: np.ndarray, second: np.ndarray, groups: np.ndarray) -> float:
    """Return the two-sided p of the sign-flip test by the normal approximation, for many groups.

    Parameters: see :func:`sign_flip_exact`, which is slow for thousands of groups.
    """
    _, code = np.unique(groups, return_inverse=True)
    sums = group_sums((first.astype(float) - second)[:, None], code)[:, 0]
    spread = float(np.sqrt((sums**2).sum()))
    return float(2 * ndtr(-abs(sums.sum()) / spread)) if spread else 1.0
