"""Points in images: centres of visible parts, distances between points, visible world points."""

import math
import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from eyechart.rendering.attempts import NoRoomError
from eyechart.rendering.renderer import View
from eyechart.rendering.scene.viewing import focal_px, project

Spot = tuple[float, float]  # x and y in pixels
APART, BORDER = 0.15, 0.085  # shares of the shorter side: distance between marks, and to edges
APART_PX = 6  # minimum distance of marks in any image
NEAR = 1.0  # maximum distance between hit and point, in pixel widths at its distance
DEEP = 0.016  # share of the shorter side: minimum distance of a part's centre to its outline


def part_spots(view: View) -> dict[str, Spot]:
    """Return the centre of each part's visible area in the first thing; omit small areas.

    The centre is the pixel farthest from the outline of the visible area, so it belongs to the part
    even if the part is bent or half hidden.
    """
    least = DEEP * min(view.image_px)
    found = {}
    for number, (owner, name) in enumerate(view.names):
        if owner != 0:
            continue
        depth = ndimage.distance_transform_edt(np.pad(view.part == number + 1, 1))[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        if depth[row, column] >= max(least, 1):
            found[name] = (float(column) + 0.5, float(row) + 0.5)
    return found


def within(spot: Spot, image_px: Sequence[int]) -> bool:
    """Return whether a mark at this point is fully inside the image."""
    border = BORDER * min(image_px)
    return all(border <= x <= side - border for x, side in zip(spot, image_px, strict=True))


def apart(spots: Sequence[Spot], image_px: Sequence[int]) -> bool:
    """Return whether marks at these points do not overlap."""
    least = max(APART * min(image_px), APART_PX)
    return all(math.dist(a, b) >= least for i, a in enumerate(spots) for b in spots[:i])


def some_apart(
    rng: random.Random, spots: dict[str, Spot], first: str, count: int, image_px: Sequence[int]
) -> list[str]:
    """Draw ``count`` names, starting with ``first``, whose points are far enough apart.

    Raise a NoRoomError if there are no such points.
    """
    names = [name for name in spots if name != first and within(spots[name], image_px)]
    rng.shuffle(names)
    chosen = [first]
    for name in names:
        if len(chosen) < count and apart([spots[n] for n in (*chosen, name)], image_px):
            chosen.append(name)
    if len(chosen) < count or not within(spots[first], image_px):
        raise NoRoomError
    return chosen


def visible_in(view: View, points: ArrayLike) -> np.ndarray:
    """Return which world points are visible in a view: bool (...).

    A point is visible if it projects into the image and the ray of its pixel, or of a neighbour,
    hits a surface within :data:`NEAR` pixel widths of the point that is not farther from the camera
    by more than that.

    ``points``: float (..., 3).
    """
    width, height = view.image_px
    points = np.asarray(points, dtype=np.float64)
    at = project(view.camera, points, view.image_px)
    inside = (at[..., 0] >= 0) & (at[..., 0] < width) & (at[..., 1] >= 0) & (at[..., 1] < height)
    column = np.where(inside, at[..., 0], 0).astype(int)
    row = np.where(inside, at[..., 1], 0).astype(int)
    allowed = NEAR * at[..., 2] / focal_px(view.camera, width)
    found = np.zeros(inside.shape, dtype=bool)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            beside = (row + down).clip(0, height - 1), (column + across).clip(0, width - 1)
            away = np.linalg.norm(view.position[beside] - points, axis=-1)
            found |= (away <= allowed) & (view.depth[beside] > 0)
    return inside & found
