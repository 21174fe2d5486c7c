"""The best of several addresses, chosen on other items than it is scored on."""

import numpy as np
from scipy.special import ndtr, ndtri

SPLITS = 96  # a multiple of the numbers of orders, so that the sign-flip test counts whole steps
FEW = 24  # of the flip test, which makes each choice anew
FLIPS = 1999  # the smallest p is one in two thousand
DRAWN = 499  # flips, of which only the spread is used
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
    first = _halves(SPLITS, len(distinct), rng)[:, code]  # (splits, n)
    means = [part @ right.T / part.sum(1, keepdims=True) for part in (first, ~first)]
    best = [mean.argmax(1) for mean in means]  # on each half
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
    """Return the mean of the best candidate, and what it is where groups change their sign.

    The best is chosen on one half of the groups and scored on the other, over ``FEW`` splits. If no
    candidate gains anything, signs are coin flips, the same for all candidates of a group; the
    choice is made anew after every flip, so that a test on these values keeps its level. (A test
    that takes the values of the chosen candidates as given does not: it errs twice as often.)

    Parameters
    ----------
    first : float, shape (a, n)
        Of each candidate on each item: what it gains, or its value if there is a second.
    groups : str, shape (n,)
    rng : numpy.random.Generator
    second : float, shape (b, n), optional
        Candidates of what is subtracted, of which the best is chosen likewise.
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
    """Return the two-sided p that the best of some candidates equals the best of others.

    The values under flipped signs give the spread, a normal distribution the tail, so that p is not
    bounded by their number. Their tails may be heavier than those of a normal distribution: the
    spread is at least such that 1 % of them are as far from 0 as it says. The parameters are those
    of :func:`cross_fitted_flips`.
    """
    value, flips = cross_fitted_flips(first, groups, rng, second, DRAWN)
    far = float(np.quantile(np.abs(flips), 0.99) / ndtri(0.995))
    spread = max(far, float(np.sqrt((flips**2).mean())))
    return float(2 * ndtr(-abs(value) / spread)) if spread else 1.0


def _held_out(
    values: np.ndarray, code: np.ndarray, half: np.ndarray, signs: np.ndarray
) -> np.ndarray:
    """Return the mean of the best candidate on the other half, under each row of signs."""
    sums = np.stack([np.bincount(code, weights=own) for own in values])  # (a, g)
    halved = (sums.T[:, :, None] * half.T[:, None]).reshape(len(signs.T), -1)
    one = (signs @ halved).reshape(len(signs), len(sums), -1).swapaxes(0, 1)  # (a, flips, splits)
    other = (sums @ signs.T)[..., None] - one
    at = [part.argmax(axis=0)[None] for part in (one, other)]
    held = np.take_along_axis(other, at[0], 0) + np.take_along_axis(one, at[1], 0)
    found: np.ndarray = held[0].mean(axis=1) / values.shape[1]
    return found


def _halves(splits: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return which of the groups are in the first half of each split, bool (splits, g)."""
    order = np.argsort(rng.random((splits, count)), axis=1)
    return order < max(1, count // 2)
