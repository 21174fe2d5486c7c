"""Levels for a test that is repeated as items are added: all looks together keep one level."""

from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

_STEP = 0.025  # grid step of the running sum, in standard deviations of the complete sum
_GRID = np.arange(-6, 6 + _STEP / 2, _STEP)


@cache
def spent_levels(level: float, shares: tuple[float, ...]) -> tuple[float, ...]:
    """Return the level of the one-sided test at each look; their total error rate is ``level``.

    Each look spends a share of the level equal to the share of items that it adds. Looks share
    items, so accounting for this gives each look a higher level than an equal division of the total
    would.

    Parameters
    ----------
    level : float
    shares : tuple of float
        The share of all planned items at each look, increasing; the last is 1.

    Notes
    -----
    Source: Lan & DeMets 1983, with the spending function ``level * share`` (Kim & DeMets 1987,
    power 1). The sum over independent items is a Brownian motion in their share. Its density below
    all earlier boundaries is integrated on a grid (Armitage, McPherson & Rowe 1969).
    """
    found, at, mass, before = [], np.zeros(1), np.ones(1), 0.0
    for share in shares:
        spread, own = np.sqrt(share - before), level * (share - before)
        bound = brentq(_left, -6, 6, args=(at, mass, spread, own))
        found.append(float(ndtr(-bound / np.sqrt(share))))
        cells = np.diff(
            ndtr((np.append(_GRID, 6 + _STEP)[:, None] - _STEP / 2 - at) / spread), axis=0
        )
        mass = (cells @ mass) * np.clip((bound - _GRID) / _STEP + 0.5, 0, 1)
        at, before = _GRID, share
    return tuple(found)


def _left(bound: float, at: np.ndarray, mass: np.ndarray, spread: float, own: float) -> float:
    """Return the probability of crossing a boundary minus the level that may be spent."""
    return float(mass @ ndtr((at - bound) / spread)) - own
