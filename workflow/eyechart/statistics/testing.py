"""Tests of accuracies and differences, and corrections for multiple tests.

Many short jobs import this module, and importing ``scipy.stats`` would cost each of them a second.
"""

import numpy as np
from scipy.special import bdtr

from eyechart.statistics.bootstrap import group_sums

PERMUTATIONS = 9999  # so the smallest p is about 1 / 10,000
_AT_ONCE = 500  # permutations held in memory at a time


def permutation_test(
    predictions: np.ndarray,
    truth: np.ndarray,
    groups: np.ndarray,
    rng: np.random.Generator,
    strata: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return each probe's one-sided p, and its mean accuracy on permuted labels.

    The labels of the test set are permuted across groups: groups swap positions, and each keeps
    its labels in order. Predictions stay in place, so a probe that always predicts one label has p
    = 1.

    Parameters
    ----------
    predictions : int, shape (m, n)
    truth : int, shape (n,)
        Class codes.
    groups : str, shape (n,)
    rng : numpy.random.Generator
    strata : str, shape (n,), optional
        Labels are permuted only within a stratum.

    Returns
    -------
    tuple of ndarray of float64, shape (m,)
        p and the mean accuracy over all permutations.

    Notes
    -----
    Source: Phipson & Smyth 2010, the p of randomly drawn permutations: (1 + b) / (1 + m). The test
    is exact if all groups have the same size. Otherwise the labels of a larger group may be spread
    over two smaller ones.
    """
    _, code = np.unique(groups, return_inverse=True)
    strata = np.zeros(len(groups)) if strata is None else strata
    _, stratum = np.unique(strata, return_inverse=True)
    order = np.lexsort((code, stratum))
    code, stratum = code[order], stratum[order]
    truth, predictions = truth[order], predictions[:, order]
    classes = np.unique(truth)
    said = [(c, (predictions == c).astype(np.float32)) for c in classes]
    observed = (predictions == truth).sum(1)
    reached, total = np.zeros(len(predictions)), np.zeros(len(predictions))
    for start in range(0, PERMUTATIONS, _AT_ONCE):
        draws = min(_AT_ONCE, PERMUTATIONS - start)
        ranks = rng.random((draws, code.max() + 1))[:, code] + stratum  # of each row's group
        labels = truth[np.argsort(ranks, axis=1, kind="stable")]  # (draws, n)
        right = np.sum([one @ (labels == c).T.astype(np.float32) for c, one in said], axis=0)
        reached += (right >= observed[:, None]).sum(1)
        total += right.sum(1, dtype=float)
    return (1 + reached) / (1 + PERMUTATIONS), total / (PERMUTATIONS * len(truth))


def mcnemar_exact(first: np.ndarray, second: np.ndarray, groups: np.ndarray) -> float:
    """Return the exact two-sided p of McNemar's test on two probes' correctness, by group.

    Items of one group are not independent, so each group has one vote, for the probe that is
    correct on more of its items. If every item is its own group, this is McNemar's test.

    Parameters
    ----------
    first, second : ndarray of bool or of whole numbers, shape (n,)
        Whether each probe is correct on each test item, against the labels of its own task; or how
        often it is, if items have several responses.
    groups : str, shape (n,)

    Notes
    -----
    Source: McNemar 1947, exact form: a binomial test with p = 1/2 on the discordant pairs. Over
    groups, it is the sign test of their differences.
    """
    return float(sign_test((first.astype(float) - second)[:, None], groups)[0])


def sign_test(differences: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the exact two-sided p of the sign test of each column, with one vote per group.

    Parameters
    ----------
    differences : float, shape (n, m)
    groups : str, shape (n,)

    Returns
    -------
    ndarray of float64, shape (m,)
        1 if no group differs, NaN if a column has no finite value.
    """
    _, code = np.unique(groups, return_inverse=True)
    lead = group_sums(differences, code)
    above, below = (lead > 0).sum(0), (lead < 0).sum(0)
    p = np.minimum(1.0, 2 * bdtr(np.minimum(above, below), above + below, 0.5))
    found: np.ndarray = np.where(np.isfinite(differences).any(axis=0), p, np.nan)
    return found


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Return the false-discovery-rate adjusted p-values (q) of m tests, shape (m,).

    Notes
    -----
    Source: Benjamini & Hochberg 1995, the step-up procedure.
    """
    order, q = np.argsort(p)[::-1], np.empty(len(p))
    q[order] = np.minimum.accumulate(p[order] * len(p) / np.arange(len(p), 0, -1))
    return np.minimum(q, 1)


def holm(p: np.ndarray) -> np.ndarray:
    """Return p-values of m tests corrected for the family-wise error rate, shape (m,).

    Notes
    -----
    Source: Holm 1979, the step-down procedure.
    """
    order, adjusted = np.argsort(p), np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1)
