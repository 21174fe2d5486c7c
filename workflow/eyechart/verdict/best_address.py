"""The best of several addresses, chosen where it is not scored."""

import numpy as np


def cross_fitted(
    right: np.ndarray, groups: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, list[int]]:
    """Return how the best candidate does on items that had no say in choosing it.

    Groups are dealt to two halves; the candidate that is best on one half is scored on the other,
    and the halves change places. So the score is that of choosing, not of having been lucky. It is
    one split and no mean of many, so that an item stays right or wrong, as McNemar's test needs.

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
        Which candidates, each once, that chosen for the first half first. Of equals the earlier is
        chosen. With a lone group nothing can be chosen, and the last candidate stands.
    """
    distinct, code = np.unique(groups, return_inverse=True)
    if len(right) == 1 or len(distinct) < 2:
        return right[-1], [len(right) - 1]
    half = np.zeros(len(distinct), dtype=bool)
    half[rng.permutation(len(distinct))[: len(distinct) // 2]] = True
    first = half[code]
    best = [int(right[:, ~part].mean(1).argmax()) for part in (first, ~first)]
    return np.where(first, right[best[0]], right[best[1]]), list(dict.fromkeys(best))
