"""The coverage of each image token by a point or box, and the weights of the tokens in it.

Places are as returned by ``tables.activations.read_places``: view, row, column, left, top, right,
bottom of each token, in pixels of the image. Tokens without a position (NaN) have weight 0.
"""

from collections.abc import Sequence

import numpy as np

from eyechart.tables.regions import POINT, Region

SAME_SIZE = 0.05  # views with a smaller relative difference in token area count as equally fine
MOST = 0.5  # share of a box that the chosen views must cover


class OutsideError(ValueError):
    """A point or a box that no token covers."""


def weights_at_point(places: np.ndarray, x: float, y: float) -> np.ndarray:
    """Return the bilinear weight of every token at a point; they sum to 1.

    Of the views that contain the point, those with the smallest tokens are used. Between the
    centres of four tokens, the result equals ``grid_sample(align_corners=False,
    padding_mode="border")``. Where two views of equal token size meet, tokens of both are used, as
    if there were no border. Up to half a token outside all views, the nearest tokens are used.
    Raise an OutsideError if no token is within half a token of the point. Result: float64, shape
    (t,).

    ``places``: ndarray, float32, shape (t, 7).
    """
    left, top, right, bottom = edges_of(places)
    wide, high = right - left, bottom - top
    across = 1 - np.abs(x - (left + right) / 2) / wide
    down = 1 - np.abs(y - (top + bottom) / 2) / high
    reach = _area(across, down)
    inside = (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
    near = inside if inside.any() else reach > 0
    if not near.any():
        raise OutsideError(f"point ({x:g}, {y:g}): no token covers it; {extent(places)}")
    areas = wide * high
    weights = reach * same_size(areas, areas[near].min())
    return np.asarray(weights / weights.sum())


def weights_in_box(
    places: np.ndarray, left: float, top: float, right: float, bottom: float
) -> np.ndarray:
    """Return each token's weight in a box, proportional to their overlap; weights sum to 1.

    Among the views that cover more than half of the box, those with the smallest tokens are used.
    If there are none, the views that cover the most of it are used. Views with equal token size are
    combined, because a box may extend across several tiles.

    Result: float64, shape (t,). Raise an OutsideError if no token overlaps the box.
    """
    edges = edges_of(places)
    wide = np.minimum(edges[2], right) - np.maximum(edges[0], left)
    high = np.minimum(edges[3], bottom) - np.maximum(edges[1], top)
    common = _area(wide, high)
    if not common.any():
        said = f"box ({left:g}, {top:g}, {right:g}, {bottom:g})"
        raise OutsideError(f"{said}: no token overlaps it; {extent(places)}")
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


def region_weights(places: np.ndarray, region: Region) -> np.ndarray:
    """Return the weight of each token (t,) in a region: bilinear at a point, by area in a box."""
    if region.shape == POINT:
        return weights_at_point(places, *region.middle)
    return weights_in_box(places, *region[2:])


def shown_weights(places: np.ndarray, regions: Sequence[Region]) -> np.ndarray:
    """Return the mean weight of each token (t,) in regions of one image, float32.

    If the model's crop omits a region, the token nearest to its middle is used.
    """
    found = np.zeros(len(places), np.float32)
    for region in regions:
        try:
            found += region_weights(places, region) / len(regions)
        except OutsideError:
            left, top, right, bottom = edges_of(places)
            if np.isnan(left).all():
                raise
            x, y = region.middle
            away = np.hypot(x - np.clip(x, left, right), y - np.clip(y, top, bottom))
            found[np.nanargmin(away)] += 1 / len(regions)
    return found


def coverage(places: np.ndarray, region: Region) -> np.ndarray:
    """Return the share of each token's area that a region covers: float64, shape (t,), from 0 to 1.

    A point covers one token in each view that contains it, distributed bilinearly over the tokens
    around it. Tokens without a position are not covered.

    ``places``: ndarray, float32, shape (t, 7); of the tokens of the region's image.
    """
    left, top, right, bottom = np.asarray(places, dtype=np.float64)[:, 3:7].T
    if region.shape == POINT:
        return _at_point(places, region.left, region.top)
    with np.errstate(invalid="ignore", divide="ignore"):
        wide = np.minimum(right, region.right) - np.maximum(left, region.left)
        high = np.minimum(bottom, region.bottom) - np.maximum(top, region.top)
        share = np.clip(wide, 0, None) * np.clip(high, 0, None) / (right - left) / (bottom - top)
    return np.asarray(np.nan_to_num(share))


def _at_point(places: np.ndarray, x: float, y: float) -> np.ndarray:
    found = np.zeros(len(places))
    left, top, right, bottom = places[:, 3:7].T
    inside = (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
    for view in np.unique(places[inside, 0]):
        here = places[:, 0] == view
        found[here] += weights_at_point(places[here], x, y)
    if not inside.any():
        try:
            found = weights_at_point(places, x, y)
        except OutsideError:
            return found  # cropped: no token covers it
    return found


def edges_of(places: np.ndarray) -> np.ndarray:
    """Return the left, top, right and bottom edges of all tokens: (4, t)."""
    return np.ascontiguousarray(np.asarray(places)[:, 3:7].T, dtype=np.float64)


def _area(wide: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the products of both extents, 0 where one is negative or unknown (NaN)."""
    return np.where((wide > 0) & (high > 0), wide * high, 0.0)


def same_size(areas: np.ndarray, level: float) -> np.ndarray:
    """Return whether each area is about as large as ``level``: bool, (t,)."""
    with np.errstate(invalid="ignore"):
        return np.abs(areas / level - 1) <= SAME_SIZE


def extent(places: np.ndarray) -> str:
    """Return the end of an error message, which states the extent of the tokens."""
    edges = edges_of(places)
    if np.isnan(edges).all():
        return "no token has a position"
    low, high = np.nanmin(edges[:2], axis=1), np.nanmax(edges[2:], axis=1)
    return f"tokens lie from ({low[0]:g}, {low[1]:g}) to ({high[0]:g}, {high[1]:g})"


def _levels(areas: np.ndarray) -> list[float]:
    """Return the distinct sizes of tokens, in ascending order."""
    found: list[float] = []
    for area in np.sort(areas):
        if not found or area > found[-1] * (1 + SAME_SIZE):
            found.append(float(area))
    return found
