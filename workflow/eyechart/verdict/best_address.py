"""The best of several addresses, chosen on other items than it is scored on."""

import numpy as np

SPLITS = 96  # a multiple of the numbers of orders, so that the sign-flip test counts whole steps
OFTEN = 0.25  # the share of choices from which an address is named


def cross_fitted(
    right: np.ndarray, groups: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, list[int]]:
    """Return the results of the best candidate on items that it was not chosen on.

    Groups are split into two halves, many times; the best candidate of each half is scored on the
    other, so the choice does not inflate the score. An item's value is its mean over the splits: of
    addresses without information that is chance, and it hardly depends on the draw. A majority over
    the splits would not do: of several addresses that know something, it is better than each.

    Parameters
    ----------
    right : float, shape (a, n)
        Whether each candidate is right on each item.
    groups : str, shape (n,)
    rng : numpy.random.Generator

    Returns
    -------
    right : float, shape (n,)
        A share of the splits.
    chosen : list of int
        The candidates that were chosen in a quarter of the halves, the most frequent first; if none
        was, the most frequent. Of equal candidates the earlier is chosen. With a single group, the
        last candidate is taken.
    """
    distinct, code = np.unique(groups, return_inverse=True)
    if len(right) == 1 or len(distinct) < 2:
        return right[-1], [len(right) - 1]
    order = np.argsort(rng.random((SPLITS, len(distinct))), axis=1)
    first = (order < len(distinct) // 2)[:, code]  # (splits, n)
    means = [part @ right.T / part.sum(1, keepdims=True) for part in (first, ~first)]
    best = [mean.argmax(1) for mean in means]  # on each half
    value = np.where(first, right[best[1]], right[best[0]]).mean(0)
    often = np.bincount(np.concatenate(best), minlength=len(right)) / (2 * SPLITS)
    order = np.argsort(-often, kind="stable")
    return value, [int(i) for i in order if often[i] >= OFTEN] or [int(order[0])]
