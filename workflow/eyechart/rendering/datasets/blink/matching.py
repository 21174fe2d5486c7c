"""Scenes for low-level matching: things with blotches, and points visible in two views."""

import random

import numpy as np
from scipy import ndimage

from eyechart.rendering.attempts import NoRoomError
from eyechart.rendering.points import APART, Spot, apart, visible_in, within
from eyechart.rendering.renderer import View
from eyechart.rendering.scene.materials import Surface, palette
from eyechart.rendering.scene.model import Solid, Thing
from eyechart.rendering.scene.viewing import project

BODIES = ("block", "ball", "drum", "cone")
OUTLINE = 0.035  # minimum distance of points from outlines, as a share of the shorter side
SMOOTH = 1.2  # smoothing of gradients, in pixels
TRIED = 40  # number of most salient positions tried as points


def draw_things(rng: random.Random) -> tuple[Thing, ...]:
    """Draw two or three large things side by side, each with its own blotches."""
    count = rng.randint(2, 3)
    colors = palette(rng, 2 * count)
    things = []
    for n in range(count):
        surface = Surface(
            colors[2 * n], colors[2 * n + 1], rng.choice(("rubber", "rubber", "gloss")),
            "blotches", rng.randint(5, 8), rng.randrange(2**31),
        )  # fmt: skip
        kind, high = rng.choice(BODIES), rng.uniform(0.5, 0.9)
        wide = rng.uniform(0.5, 0.7)
        solid = Solid(kind, (0, 0, high), (wide, wide, high), shape=0.4)
        angle = 2 * np.pi * (n + rng.uniform(-0.15, 0.15)) / count
        at = (round(0.85 * float(np.cos(angle)), 6), round(0.85 * float(np.sin(angle)), 6), 0.0)
        things.append(Thing(kind, {"body": solid}, {"own": surface}, at, rng.uniform(0, 360)))
    return tuple(things)


def shared_points(first: View, second: View, count: int) -> list[tuple[np.ndarray, Spot, Spot]]:
    """Find salient points visible in both views; return each in the world and in both images.

    They are drawn from the most corner-like positions of the first image and leave room for each
    other's marks in both views. Raise a NoRoomError if fewer than ``count`` points are found.
    """
    seen = inside_things(first) & visible_in(second, first.position)
    free = inside_things(second)
    salience = np.where(seen, corners(first.rgb), -1.0)
    found: list[tuple[np.ndarray, Spot, Spot]] = []
    for _ in range(TRIED):
        row, column = np.unravel_index(int(salience.argmax()), salience.shape)
        if salience[row, column] < 0:
            break
        _suppress(salience, int(row), int(column), min(first.image_px))
        point = first.position[row, column]
        one, other = (_spot(view, point) for view in (first, second))
        spots = [(one, *(f[1] for f in found)), (other, *(f[2] for f in found))]
        room = all(within(s[0], first.image_px) and apart(s, first.image_px) for s in spots)
        if room and free[int(other[1]), int(other[0])]:
            found.append((point, one, other))
            if len(found) == count:
                return found
    raise NoRoomError


def inside_things(view: View) -> np.ndarray:
    """Return which pixels are well inside a thing: bool (h, w).

    The outline of a round surface moves with the camera, so its pixels show no fixed point.
    """
    reach = 2 * round(OUTLINE * min(view.image_px)) + 1
    low, high = (f(view.thing, reach) for f in (ndimage.minimum_filter, ndimage.maximum_filter))
    return (low == high) & (low > 0)


def corners(image: np.ndarray) -> np.ndarray:
    """Return the corner strength of every pixel: float (h, w), at least 0.

    It is the smaller eigenvalue of the averaged outer product of the gradient (Shi & Tomasi 1994).
    """
    colors = ndimage.gaussian_filter(image.astype(np.float64), (0.7, 0.7, 0))
    down, across = np.gradient(colors, axis=(0, 1))  # (h, w, 3) each
    dd, aa, da = (
        ndimage.gaussian_filter(product.sum(axis=-1), SMOOTH)
        for product in (down * down, across * across, down * across)
    )
    return np.maximum((dd + aa) / 2 - np.sqrt(((dd - aa) / 2) ** 2 + da**2), 0)


def _spot(view: View, point: np.ndarray) -> Spot:
    x, y, _ = project(view.camera, point, view.image_px)
    return float(x), float(y)


def _suppress(salience: np.ndarray, row: int, column: int, side: int) -> None:
    """Set the salience around a pixel to -1, so that no other point is drawn there."""
    reach = int(APART * side / 2)
    top, left = max(row - reach, 0), max(column - reach, 0)
    salience[top : row + reach + 1, left : column + reach + 1] = -1
