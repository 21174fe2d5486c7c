"""Shares of several groups of items, drawn towards their common mean."""

import numpy as np
from scipy.special import betaln

STEPS = 30  # of the mean and of the spread of the distribution of shares
SHARES = (np.arange(400)[:, None] + 0.5) / 400  # at which a share's distribution is known


def pool_shares(right: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return each share with its 95 % interval, drawn towards the mean of all: float, (k, 3).

    The shares are taken as draws from one beta distribution. Its mean and the correlation of two
    items of a group (its spread) are unknown, with even priors, and are averaged over, so that the
    intervals hold for few groups as well.

    Parameters
    ----------
    right : float, shape (k,)
        Items right; with halves where an item was answered in several orders.
    n : int, shape (k,)
        Items, at least 1 each.

    Notes
    -----
    Source: the hierarchical beta-binomial model of Gelman et al. 2013, Bayesian Data Analysis, 5.3,
    with the uniform shrinkage prior, on a grid.
    """
    even = (np.arange(STEPS) + 0.5) / STEPS
    center, rho = (axis.ravel() for axis in np.meshgrid(even, even**2))  # finer where it is small
    a, b = center * (1 - rho) / rho, (1 - center) * (1 - rho) / rho
    right, wrong = right[:, None], (n - right)[:, None]
    known = (betaln(a + right, b + wrong) - betaln(a, b)).sum(0) + np.log(rho) / 2
    weight = np.exp(known - known.max())
    kept = weight > 1e-3  # what is left out does not show
    a, b, weight = a[kept], b[kept], weight[kept] / weight[kept].sum()
    value = ((a + right) / (a + b + right + wrong)) @ weight
    ends = []
    for r, w in zip(right, wrong, strict=True):
        density = (a + r - 1) * np.log(SHARES) + (b + w - 1) * np.log1p(-SHARES)
        below = np.cumsum(np.exp(density - betaln(a + r, b + w)) @ weight)
        ends.append(np.interp([0.025, 0.975], below / below[-1], SHARES[:, 0]))
    return np.column_stack([value, ends])
