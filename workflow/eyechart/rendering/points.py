"""Points in pictures: the middle of what shows of a part, and points that leave each other room."""

import math
import random
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from eyechart.rendering.mesh_renderer import Survey

Spot = tuple[float, float]  # x and y in pixels
APART, BORDER = 0.15, 0.085  # of the shorter side: between two marks, and from a mark to the edge
APART_PX = 6  # between two marks in any picture
DEEP = 0.016  # of the shorter side: how far the middle of a part is from its outline at least


class NoSpotError(Exception):
    """Too few points show, or they lie too near to each other; another draw may do."""


def part_spots(survey: Survey, thing: int = 0) -> dict[str, Spot]:
    """Give the middle of what shows of every part of a thing, if enough of it does.

    The middle is the pixel that lies furthest from the outline of what shows: it belongs to the
    part even where the part is bent or half hidden.
    """
    least = DEEP * min(survey.image_px)
    found = {}
    for number, (owner, name) in enumerate(survey.names):
        if owner != thing:
            continue
        depth = ndimage.distance_transform_edt(np.pad(survey.part == number + 1, 1))[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        if depth[row, column] >= max(least, 1):
            found[name] = (float(column) + 0.5, float(row) + 0.5)
    return found


def within(spot: Spot, image_px: Sequence[int]) -> bool:
    """Tell whether a mark at this point is whole in the picture."""
    border = BORDER * min(image_px)
    return all(border <= x <= side - border for x, side in zip(spot, image_px, strict=True))


def apart(spots: Sequence[Spot], image_px: Sequence[int]) -> bool:
    """Tell whether marks at these points leave each other free."""
    least = max(APART * min(image_px), APART_PX)
    return all(math.dist(a, b) >= least for i, a in enumerate(spots) for b in spots[:i])


def some_apart(
    rng: random.Random, spots: dict[str, Spot], first: str, count: int, image_px: Sequence[int]
) -> list[str]:
    """Draw ``count`` names, ``first`` among them and at their head, whose points leave room.

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
