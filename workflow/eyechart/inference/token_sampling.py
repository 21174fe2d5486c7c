"""What image tokens say at a point, or in a box, of their picture.

Places are what ``tables.activations.read_places`` gives: per token view, row, column, left, top,
right, bottom, in pixels of the picture. Tokens that lie nowhere have a weight of 0. Weights depend
on places alone, so they serve all addresses of a region: ``weights @ tokens``.
"""

import numpy as np

from eyechart.tables.token_boxes import (
    SAME_SIZE,
    OutsideError,
    edges_of,
    extent,
    same_size,
    weights_at_point,
)

MOST = 0.5  # of a box, which the views that are asked must cover


def at_point(tokens: np.ndarray, places: np.ndarray, x: float, y: float) -> np.ndarray:
    """Give the tokens at a point, interpolated as :func:`weights_at_point` says.

    Parameters
    ----------
    tokens : ndarray, float, shape (t, d)
    places : ndarray, float32, shape (t, 7)
    x, y : float
        Pixels of the picture; the middle of pixel (0, 0) is (0.5, 0.5).

    Returns
    -------
    ndarray, float64, shape (d,)
    """
    return _mean(tokens, weights_at_point(places, x, y))


def in_box(
    tokens: np.ndarray, places: np.ndarray, left: float, top: float, right: float, bottom: float
) -> np.ndarray:
    """Give the mean of the tokens in a box, weighted as :func:`weights_in_box` says: (d,)."""
    return _mean(tokens, weights_in_box(places, left, top, right, bottom))


def weights_in_box(
    places: np.ndarray, left: float, top: float, right: float, bottom: float
) -> np.ndarray:
    """Give each token's share of a box, by the area that they have in common; they sum to 1.

    Of the views that cover more than half of the box those count whose tokens are smallest; if none
    do, those that cover most of it. Views of one size are taken together: a box may lie across
    several tiles.

    Returns
    -------
    ndarray, float64, shape (t,)

    Raises
    ------
    OutsideError
        If no token has any area in common with the box.
    """
    edges = edges_of(places)
    with np.errstate(invalid="ignore"):
        wide = np.minimum(edges[2], right) - np.maximum(edges[0], left)
        high = np.minimum(edges[3], bottom) - np.maximum(edges[1], top)
    common = np.nan_to_num(np.clip(wide, 0, None) * np.clip(high, 0, None))
    if not common.any():
        said = f"box ({left:g}, {top:g}, {right:g}, {bottom:g})"
        raise OutsideError(f"{said}: no token lies in it; {extent(places)}")
    areas = (edges[2] - edges[0]) * (edges[3] - edges[1])
    best, most = common, 0.0
    for level in _levels(areas[common > 0]):
        own = common * same_size(areas, level)
        covered = own.sum() / ((right - left) * (bottom - top))
        if covered > most * (1 + SAME_SIZE):
            best, most = own, covered
        if most > MOST:
            break
    return np.asarray(best / best.sum())


def _mean(tokens: np.ndarray, weights: np.ndarray) -> np.ndarray:
    used = np.flatnonzero(weights)
    return np.asarray(weights[used] @ np.asarray(tokens, dtype=np.float64)[used])


def _levels(areas: np.ndarray) -> list[float]:
    """Give the distinct sizes of tokens, the smallest first."""
    found: list[float] = []
    for area in np.sort(areas):
        if not found or area > found[-1] * (1 + SAME_SIZE):
            found.append(float(area))
    return found
