"""Make correspondence items from pairs of points: which of four points matches REF."""

from collections.abc import Sequence
from typing import NamedTuple

from eyechart.core.errors import UserError
from eyechart.core.randomness import dice
from eyechart.tables.regions import LETTERS, REF, Region, point

CHOICES = 4
Point = tuple[float, float]
Size = tuple[int, int]
_SLACK = (
    1.0  # px that a point may be outside its image, because some annotations count pixels from 1
)


class PointMatch(NamedTuple):
    """REF on the first image, A to D on the second, and which of A to D matches REF.

    ``chosen`` are the indices of the points, REF first, then A to D.
    """

    ref: Region
    options: list[Region]
    letter: str
    chosen: list[int]


def match(
    source: Sequence[Point],
    target: Sequence[Point],
    apart: float,
    possible: Sequence[int],
    *seeds: str | int,
) -> PointMatch | None:
    """Return an item, or None if no four of the points are far enough apart.

    Parameters
    ----------
    source, target : the same points on the two images, in continuous pixels
    apart : minimum distance between any two of A to D, in px of the second image
    possible : indices of the points that may be shown
    seeds : determine REF, the other points and their order
    """
    rng = dice("correspondence", *seeds)
    order = list(possible)
    rng.shuffle(order)
    for first in order:
        kept = [first]
        for other in order:
            if len(kept) < CHOICES and all(_is_far(target[other], target[k], apart) for k in kept):
                kept.append(other)
        if len(kept) == CHOICES:
            shown = list(kept)
            rng.shuffle(shown)
            options = [point(a, *target[k]) for a, k in zip(LETTERS, shown, strict=False)]
            letter = LETTERS[shown.index(first)]
            return PointMatch(point(REF, *source[first]), options, letter, [first, *shown])
    return None


def move_onto(points: Sequence[Point], size: Size, where: str) -> tuple[list[Point], int]:
    """Move points onto an image by at most one pixel; return them and how many were moved.

    Raise a UserError if a point is farther outside.
    """
    found, moved = [], 0
    for number, (x, y) in enumerate(points):
        kept = (min(max(x, 0.5), size[0] - 0.5), min(max(y, 0.5), size[1] - 0.5))
        if max(abs(kept[0] - x), abs(kept[1] - y)) > _SLACK:
            raise UserError(
                f"{where}: point {number} at ({x:g}, {y:g}) does not lie on its image, which is "
                f"{size[0]} x {size[1]} px"
            )
        moved += kept != (x, y)
        found.append(kept)
    return found, moved


def _is_far(one: Point, other: Point, apart: float) -> bool:
    # a point is at distance 0 from itself, so it is never kept twice
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 >= max(apart, 1e-9) ** 2
