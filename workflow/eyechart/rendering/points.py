"""Points in images: centres of visible parts, and sets of points with enough distance."""

import math
import random
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from eyechart.rendering.mesh_renderer import ViewGeometry

Spot = tuple[float, float]  # x and y in pixels
APART, BORDER = 0.15, 0.085  # shares of the shorter side: distance of marks, and to edges
APART_PX = 6  # minimum distance of marks in any image
DEEP = 0.016  # share of the shorter side: minimum distance of a part's centre to its outline


class NoSpotError(Exception):
    """Too few points are visible, or they are too close to each other; another draw may succeed."""


def part_spots(geometry: ViewGeometry, thing: int = 0) -> dict[str, Spot]:
    """Return the centre of the visible area of every part of a thing, if large enough.

    The centre is the pixel farthest from the outline of the visible area, so it belongs to the part
    even if the part is bent or half hidden.
    """
    least = DEEP * min(geometry.image_px)
    found = {}
    for number, (owner, name) in enumerate(geometry.names):
        if owner != thing:
            continue
        depth = ndimage.distance_transform_edt(np.pad(geometry.part == number + 1, 1))[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        if depth[row, column] >= max(least, 1):
            found[name] = (float(column) + 0.5, float(row) + 0.5)
    return found


def within(spot: Spot, image_px: Sequence[int]) -> bool:
    """Return whether a mark at this point lies fully inside the image."""
    border = BORDER * min(image_px)
    return all(border <= x <= side - border for x, side in zip(spot, image_px, strict=True))


def apart(spots: Sequence[Spot], image_px: Sequence[int]) -> bool:
    """Return whether marks at these points do not overlap."""
    least = max(APART * min(image_px), APART_PX)
    return all(math.dist(a, b) >= least for i, a in enumerate(spots) for b in spots[:i])


def some_apart(
    rng: random.Random, spots: dict[str, Spot], first: str, count: int, image_px: Sequence[int]
) -> list[str]:
    """Draw ``count`` names, beginning with ``first``, whose points are far enough apart.

    Raises
    ------
    NoSpotError
        If there are no such points.
    """
    names = [name for name in spots if name != first and within(spots[name], image_px)]
    rng.shuffle(names)
    chosen = [first]
    for name in names:
        if len(chosen) < count and apart([spots[n] for n in (*chosen, name)], image_px):
            chosen.append(name)
    if len(chosen) < count or not within(spots[first], image_px):
        raise NoSpotError
    return chosen
