"""Shares of several groups of items, drawn towards their common mean."""

import numpy as np
from scipy.stats import beta


def pool_shares(right: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return each share with its 95 % interval, drawn towards the mean of all: float, (k, 3).

    The shares are taken as draws from one beta distribution, whose mean and spread come from the
    data by moments (empirical Bayes, Kleinman 1973, J. Am. Stat. Assoc. 68). If the shares differ
    by no more than their items explain, all are drawn to the common mean. The interval does not
    know that the distribution was estimated, so it is somewhat too narrow for few groups.

    Parameters
    ----------
    right : float, shape (k,)
        Items right; with halves where an item was answered in several orders.
    n : int, shape (k,)
        Items, at least 1 each.
    """
    share, weight = right / n, n / n.sum()
    mean = float((weight * share).sum())
    center = min(max(mean, 1e-3), 1 - 1e-3)
    between = float((weight * (share - mean) ** 2).sum())
    within = center * (1 - center) * float((weight * (1 - weight) / n).sum())
    spread = (between - within) / (
        center * (1 - center) * float((weight * (1 - weight) * (1 - 1 / n)).sum()) or 1.0
    )
    rho = min(max(spread, 1e-3), 1 - 1e-3)  # the correlation of two items of one group
    strength = (1 - rho) / rho
    a, b = center * strength + right, (1 - center) * strength + n - right
    return np.stack([a / (a + b), beta.ppf(0.025, a, b), beta.ppf(0.975, a, b)], axis=1)
