"""Levels of a test that is made again as items are added, so that all together keep its level."""

from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

_STEP = 0.025  # of the grid of the sum so far, in standard deviations of the whole sum
_GRID = np.arange(-6, 6 + _STEP / 2, _STEP)


@cache
def spent_levels(level: float, shares: tuple[float, ...]) -> tuple[float, ...]:
    """Return the level of the one-sided test at each look; together they err at ``level``.

    Each look spends as much of the level as it adds of the items. Looks overlap in their items,
    which is taken into account, so they get more than an equal division would give them.

    Parameters
    ----------
    level : float
    shares : tuple of float
        The share of all planned items at each look, rising; the last is 1.

    Notes
    -----
    Source: Lan & DeMets 1983; what is spent is ``level * share`` (Kim & DeMets 1987, power 1). The
    sum over independent items is a Brownian motion in their share. Its density below all earlier
    boundaries is integrated on a grid (Armitage, McPherson & Rowe 1969).
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
    """Return by how much the chance of crossing a boundary exceeds what may be spent."""
    return float(mass @ ndtr((at - bound) / spread)) - own
