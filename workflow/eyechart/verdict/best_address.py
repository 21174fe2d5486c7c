"""The best of several addresses, chosen on other items than it is scored on."""

import numpy as np


def cross_fitted(
    right: np.ndarray, groups: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, list[int]]:
    """Return the results of the best candidate on items that it was not chosen on.

    Groups are split into two halves; the best candidate of each half is scored on the other, so the
    choice does not inflate the score. It is one split and not a mean of many, so that an item is
    right or wrong, as McNemar's test needs.

    Parameters
    ----------
    right : ndarray of float, shape (a, n)
        Whether each candidate is right on each item.
    groups : ndarray of str, shape (n,)
    rng : numpy.random.Generator

    Returns
    -------
    right : ndarray of float, shape (n,)
    chosen : list of int
        The chosen candidates, each once, beginning with that of the first half. Of equal candidates
        the earlier is chosen. With a single group, the last candidate is taken.
    """
    distinct, code = np.unique(groups, return_inverse=True)
    if len(right) == 1 or len(distinct) < 2:
        return right[-1], [len(right) - 1]
    half = np.zeros(len(distinct), dtype=bool)
    half[rng.permutation(len(distinct))[: len(distinct) // 2]] = True
    first = half[code]
    best = [int(right[:, ~part].mean(1).argmax()) for part in (first, ~first)]
    return np.where(first, right[best[0]], right[best[1]]), list(dict.fromkeys(best))
