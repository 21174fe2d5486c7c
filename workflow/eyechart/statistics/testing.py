"""Intervals and tests of probe accuracies.

``scipy.special`` gives the distributions: ``scipy.stats``, which gives the same numbers (tested),
takes longer to import than a probing job's share of statistics takes to run.
"""

import numpy as np
from scipy.special import bdtr, ndtr


def bootstrap_interval(
    correct: np.ndarray, groups: np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Give 95 % percentile intervals of accuracies, resampling groups with replacement.

    All rows share the draws.

    Parameters
    ----------
    correct : ndarray of bool, shape (m, n)
        One row per probe.
    groups : ndarray of str, shape (n,)
    draws : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float64, shape (m, 2)
    """
    distinct, code = np.unique(groups, return_inverse=True)
    g = len(distinct)
    member = np.zeros((len(code), g))
    member[np.arange(len(code)), code] = 1
    counts = rng.multinomial(g, np.full(g, 1 / g), size=draws).astype(float)  # (draws, g)
    right = correct.astype(float) @ member  # (m, g)
    accuracy = (counts @ right.T) / (counts @ member.sum(0))[:, None]  # (draws, m)
    return np.quantile(accuracy, [0.025, 0.975], axis=0).T


def mcnemar_exact(first: np.ndarray, second: np.ndarray, groups: np.ndarray) -> float:
    """Give the two-sided exact p of McNemar's test on two probes' correctness, group by group.

    A group of several items votes once, for the probe that was right on more of them: items of one
    group are not independent. Where every item is its own group this is McNemar's test itself.

    Parameters
    ----------
    first, second : ndarray of bool or of whole numbers, shape (n,)
        Whether each probe was right on each test item, each on its own task's labels; or how often
        each was, where items were asked several times.
    groups : ndarray of str, shape (n,)

    Notes
    -----
    Source: McNemar 1947, exact form: a binomial test with p = 1/2 on the discordant pairs; over
    groups, the sign test of their differences.
    """
    _, code = np.unique(groups, return_inverse=True)
    lead = np.bincount(code, weights=first.astype(float) - second)
    for_first, for_second = int((lead > 0).sum()), int((lead < 0).sum())
    discordant = for_first + for_second
    if discordant == 0:
        return 1.0
    return float(min(1.0, 2 * bdtr(min(for_first, for_second), discordant, 0.5)))


def two_proportion_z(right_1: int, n_1: int, right_2: int, n_2: int) -> tuple[float, float]:
    """Give z and the two-sided p of the pooled two-proportion z-test; (0, 1) if there is no spread.

    Notes
    -----
    Source: the test that VLM-Lens applies to task against shuffled-label accuracy.
    """
    pooled = (right_1 + right_2) / (n_1 + n_2)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / n_1 + 1 / n_2))
    if spread == 0:
        return 0.0, 1.0
    z = (right_1 / n_1 - right_2 / n_2) / spread
    return float(z), float(2 * ndtr(-abs(z)))


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Give the false-discovery-rate adjusted p-values (q) of m tests, shape (m,).

    Notes
    -----
    Source: Benjamini & Hochberg 1995, the step-up procedure.
    """
    m = len(p)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * m / np.arange(1, m + 1)
    q = np.empty(m)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return q
