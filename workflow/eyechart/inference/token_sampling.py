"""Sample image tokens at a point or in a box of their image.

``places`` are the boxes that ``tables.activations.read_places`` returns: per token view, row,
column, left, top, right, bottom, in pixels of the image. Tokens without a position have weight 0.
Weights depend on boxes alone, so all addresses of a component share them: ``weights @ tokens``.
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

MOST = 0.5  # of a box, which the chosen views must cover


def at_point(tokens: np.ndarray, places: np.ndarray, x: float, y: float) -> np.ndarray:
    """Return the tokens interpolated at a point, see :func:`weights_at_point`.

    Parameters
    ----------
    tokens : ndarray, float, shape (t, d)
    places : ndarray, float32, shape (t, 7)
    x, y : float
        Pixels of the image; the centre of pixel (0, 0) is (0.5, 0.5).

    Returns
    -------
    ndarray, float64, shape (d,)
    """
    return _mean(tokens, weights_at_point(places, x, y))


def in_box(
    tokens: np.ndarray, places: np.ndarray, left: float, top: float, right: float, bottom: float
) -> np.ndarray:
    """Return the weighted mean of the tokens in a box, see :func:`weights_in_box`: (d,)."""
    return _mean(tokens, weights_in_box(places, left, top, right, bottom))


def weights_in_box(
    places: np.ndarray, left: float, top: float, right: float, bottom: float
) -> np.ndarray:
    """Return each token's weight in a box, proportional to their overlap; weights sum to 1.

    Among the views that cover more than half of the box, those with the smallest tokens are used;
    if there are none, those that cover most of it. Views with equal token size are combined,
    because a box may extend across several tiles.

    Returns
    -------
    ndarray, float64, shape (t,)

    Raises
    ------
    OutsideError
        If no token overlaps the box.
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
    """Return the distinct sizes of tokens, in ascending order."""
    found: list[float] = []
    for area in np.sort(areas):
        if not found or area > found[-1] * (1 + SAME_SIZE):
            found.append(float(area))
    return found
