"""Tests of accuracies and differences, and the correction for many tests.

``scipy.stats`` is imported where it is used, since importing it takes a second of CPU.
"""

import numpy as np

from eyechart.statistics.bootstrap import group_sums


def mcnemar_exact(first: np.ndarray, second: np.ndarray, groups: np.ndarray) -> float:
    """Return the two-sided exact p of McNemar's test on two probes' correctness, group by group.

    Items of one group are not independent, so a group has one vote, for the probe that was correct
    on more of its items. If every item is its own group, this is McNemar's test itself.

    Parameters
    ----------
    first, second : ndarray of bool or of whole numbers, shape (n,)
        Whether each probe was correct on each test item, each on the labels of its own task; or how
        often each was, if items have several responses.
    groups : ndarray of str, shape (n,)

    Notes
    -----
    Source: McNemar 1947, exact form: a binomial test with p = 1/2 on the discordant pairs; over
    groups, the sign test of their differences.
    """
    return float(sign_test((first.astype(float) - second)[:, None], groups)[0])


def sign_test(differences: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the two-sided exact p of the sign test of each column, in which a group votes once.

    Parameters
    ----------
    differences : ndarray of float, shape (n, m)
    groups : ndarray of str, shape (n,)

    Returns
    -------
    ndarray of float64, shape (m,)
        1 where no group differs, NaN where a column has no finite value.
    """
    from scipy.stats import binom  # noqa: PLC0415

    _, code = np.unique(groups, return_inverse=True)
    lead = group_sums(differences, code)
    above, below = (lead > 0).sum(0), (lead < 0).sum(0)
    p = np.minimum(1.0, 2 * binom.cdf(np.minimum(above, below), above + below, 0.5))
    found: np.ndarray = np.where(np.isfinite(differences).any(axis=0), p, np.nan)
    return found


def two_proportion_z(right_1: int, n_1: int, right_2: int, n_2: int) -> tuple[float, float]:
    """Return z and two-sided p of the pooled two-proportion z-test; (0, 1) without any spread.

    Notes
    -----
    Source: the test that VLM-Lens applies to task against shuffled-label accuracy.
    """
    from scipy.stats import norm  # noqa: PLC0415

    pooled = (right_1 + right_2) / (n_1 + n_2)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / n_1 + 1 / n_2))
    if spread == 0:
        return 0.0, 1.0
    z = (right_1 / n_1 - right_2 / n_2) / spread
    return float(z), float(2 * norm.sf(abs(z)))


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Return the false-discovery-rate adjusted p-values (q) of m tests, shape (m,).

    Notes
    -----
    Source: Benjamini & Hochberg 1995, the step-up procedure.
    """
    from scipy.stats import false_discovery_control  # noqa: PLC0415

    return np.asarray(false_discovery_control(p, method="bh")) if len(p) else np.empty(0)
