"""Estimate the shares of several sets of items, shrunk towards their common mean."""

import numpy as np
from scipy.special import betaln

STEPS = 30  # grid points for the mean and the spread of the distribution of shares
SHARES = (np.arange(400)[:, None] + 0.5) / 400  # grid points for the distribution of a share


def pool_shares(right: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return each share, shrunk towards the mean of all, with its 95% interval: float, (k, 3).

    The shares are modelled as draws from one beta distribution. Its mean and its spread (the
    correlation of two items of a set) have uniform priors and are integrated out, so the intervals
    are also valid for few sets.

    Parameters
    ----------
    right : float, shape (k,)
        The number of correct items; fractional if items were answered in several orders.
    n : int, shape (k,)
        The number of items, each at least 1.

    Notes
    -----
    Source: the hierarchical beta-binomial model of Gelman et al. 2013, Bayesian Data Analysis, 5.3,
    with the uniform shrinkage prior, on a grid.
    """
    # squaring makes the grid finer where the spread is small
    even = (np.arange(STEPS) + 0.5) / STEPS
    center, rho = (axis.ravel() for axis in np.meshgrid(even, even**2))
    a, b = center * (1 - rho) / rho, (1 - center) * (1 - rho) / rho
    right, wrong = right[:, None], (n - right)[:, None]
    known = (betaln(a + right, b + wrong) - betaln(a, b)).sum(0) + np.log(rho) / 2
    weight = np.exp(known - known.max())
    kept = weight > 1e-3  # the weight of the rest is negligible
    a, b, weight = a[kept], b[kept], weight[kept] / weight[kept].sum()
    value = ((a + right) / (a + b + right + wrong)) @ weight
    ends = []
    for r, w in zip(right, wrong, strict=True):
        density = (a + r - 1) * np.log(SHARES) + (b + w - 1) * np.log1p(-SHARES)
        below = np.cumsum(np.exp(density - betaln(a + r, b + w)) @ weight)
        ends.append(np.interp([0.025, 0.975], below / below[-1], SHARES[:, 0]))
    return np.column_stack([value, ends])
