"""Choose the best of several addresses on one half of the items and score it on the other."""

import numpy as np
from scipy.special import ndtr, ndtri

SPLITS = 96  # a multiple of all numbers of orders, so the sign-flip test counts integer steps
FEW = 24  # splits in the flip test, which repeats the choice for every flip
FLIPS = 1999  # so the smallest p is about 1 / 2,000
DRAWN = 499  # flips, used only to estimate the spread
OFTEN = 0.25  # an address is reported if it is chosen on at least this share of the halves


def cross_fitted(
    right: np.ndarray, groups: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, list[int]]:
    """Return the cross-fitted results of the best candidate.

    Groups are split into two halves many times. The best candidate on each half is scored on the
    other half, so the choice does not inflate the score. An item's value is its mean over the
    splits. For addresses without information, this mean is at chance. The mean hardly depends on
    the random splits. A majority vote over the splits would be biased: its accuracy exceeds that of
    each of several informative addresses.

    Parameters
    ----------
    right : float, shape (a, n)
        Whether each candidate is right on each item.
    groups : str, shape (n,)
    rng : numpy.random.Generator

    Returns
    -------
    right : float, shape (n,)
        The share of the splits in which the item is right.
    chosen : list of int
        The candidates that were chosen in at least a quarter of the halves, most frequent first, or
        the most frequent one if there are none. Ties go to the earlier candidate. With a single
        group, the last candidate is taken.
    """
    distinct, code = np.unique(groups, return_inverse=True)
    if len(right) == 1 or len(distinct) < 2:
        return right[-1], [len(right) - 1]
    first = _halves(SPLITS, len(distinct), rng)[:, code]  # (splits, n)
    means = [part @ right.T / part.sum(1, keepdims=True) for part in (first, ~first)]
    best = [mean.argmax(1) for mean in means]  # the best candidate on each half
    value = np.where(first, right[best[1]], right[best[0]]).mean(0)
    often = np.bincount(np.concatenate(best), minlength=len(right)) / (2 * SPLITS)
    order = np.argsort(-often, kind="stable")
    return value, [int(i) for i in order if often[i] >= OFTEN] or [int(order[0])]


def cross_fitted_flips(
    first: np.ndarray,
    groups: np.ndarray,
    rng: np.random.Generator,
    second: np.ndarray | None = None,
    flips: int = FLIPS,
) -> tuple[float, np.ndarray]:
    """Return the cross-fitted mean of the best candidate, and its values under sign flips by group.

    The best candidate is chosen on one half of the groups and scored on the other, over ``FEW``
    splits. If no candidate gains anything, each group's sign is a coin flip, shared by all
    candidates. The choice is repeated after every flip, so a test on these values keeps its level.
    (A test that treats the choice as fixed has twice the nominal error rate.)

    Parameters
    ----------
    first : float, shape (a, n)
        The gain of each candidate on each item, or its value if ``second`` is given.
    groups : str, shape (n,)
    rng : numpy.random.Generator
    second : float, shape (b, n), optional
        The candidates to subtract; the best of these is chosen in the same way.
    flips : int

    Returns
    -------
    value : float
    flips : float, shape (flips,)
    """
    distinct, code = np.unique(groups, return_inverse=True)
    half = _halves(FEW, len(distinct), rng).astype(float)
    signs = rng.choice([-1.0, 1.0], size=(1 + flips, len(distinct)))
    signs[0] = 1
    values = _held_out(first, code, half, signs)
    if second is not None:
        values -= _held_out(second, code, half, signs)
    return float(values[0]), values[1:]


def cross_fitted_test(
    first: np.ndarray, second: np.ndarray, groups: np.ndarray, rng: np.random.Generator
) -> float:
    """Return the two-sided p of the null that two sets' best candidates are equally good.

    The spread is estimated from the values under flipped signs and the tail from a normal
    distribution, so the number of flips does not bound p. Because the values may have heavier tails
    than a normal distribution, the spread is at least large enough to match their 99% quantile.
    Parameters: see :func:`cross_fitted_flips`.
    """
    value, flips = cross_fitted_flips(first, groups, rng, second, DRAWN)
    far = float(np.quantile(np.abs(flips), 0.99) / ndtri(0.995))
    spread = max(far, float(np.sqrt((flips**2).mean())))
    return float(2 * ndtr(-abs(value) / spread)) if spread else 1.0


def _held_out(
    values: np.ndarray, code: np.ndarray, half: np.ndarray, signs: np.ndarray
) -> np.ndarray:
    """Return the mean of the best candidate on the held-out half, under each row of signs."""
    sums = np.stack([np.bincount(code, weights=own) for own in values])  # (a, g)
    halved = (sums.T[:, :, None] * half.T[:, None]).reshape(len(signs.T), -1)
    one = (signs @ halved).reshape(len(signs), len(sums), -1).swapaxes(0, 1)  # (a, flips, splits)
    other = (sums @ signs.T)[..., None] - one
    at = [part.argmax(axis=0)[None] for part in (one, other)]
    held = np.take_along_axis(other, at[0], 0) + np.take_along_axis(one, at[1], 0)
    found: np.ndarray = held[0].mean(axis=1) / values.shape[1]
    return found


def _halves(splits: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return whether each group is in the first half of each split, bool (splits, g)."""
    order = np.argsort(rng.random((splits, count)), axis=1)
    return order < max(1, count // 2)
