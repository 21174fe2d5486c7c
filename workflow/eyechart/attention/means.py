"""Means over items with 95 % intervals, resampling groups, and paired tests against a control."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr


@dataclass(frozen=True)
class Means:
    """Of m columns; arrays of shape (m,), NaN where a column has no value."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray


class Draws:
    """The same draws of groups for all columns of one set of items.

    Parameters
    ----------
    groups : ndarray of str, shape (n,)
        Of each item.
    draws : int
    rng : numpy.random.Generator
    """

    def __init__(self, groups: np.ndarray, draws: int, rng: np.random.Generator) -> None:
        distinct, self.code = np.unique(groups, return_inverse=True)
        self.g = len(distinct)
        self.member = (np.arange(self.g)[:, None] == self.code).astype(float)  # (g, n)
        self.counts = rng.multinomial(self.g, np.full(self.g, 1 / self.g), size=draws).astype(float)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Add the values (n, m) of each group, (g, m); what is not known adds nothing."""
        return np.asarray(self.member @ np.nan_to_num(values))

    def means(self, values: np.ndarray) -> Means:
        """Give the mean of each column (n, m) over items where it is known, and its interval."""
        known = np.isfinite(values).astype(float)
        total, count = self.sums(values), self.sums(known)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = total.sum(0) / count.sum(0)
            drawn = (self.counts @ total) / (self.counts @ count)  # (draws, m)
        low, high = np.full(len(value), np.nan), np.full(len(value), np.nan)
        some = np.isfinite(value)
        if some.any():  # a draw may miss every item of a column
            quantile = np.quantile if np.isfinite(drawn[:, some]).all() else np.nanquantile
            low[some], high[some] = quantile(drawn[:, some], [0.025, 0.975], axis=0)
        return Means(value, low, high, known.sum(0).astype(int))

    def sign_test(self, differences: np.ndarray) -> np.ndarray:
        """Give the two-sided exact p of each column (n, m): each group votes once, by its sum.

        NaN where a column has no value.

        Notes
        -----
        Source: the sign test; see ``statistics.testing.mcnemar_exact``, which is this test on
        right and wrong answers.
        """
        lead = self.sums(differences)
        above, below = (lead > 0).sum(0), (lead < 0).sum(0)
        p = np.minimum(1.0, 2 * bdtr(np.minimum(above, below), np.maximum(above + below, 1), 0.5))
        p = np.where(above + below == 0, 1.0, p)
        return np.where(np.isfinite(differences).any(axis=0), p, np.nan)
