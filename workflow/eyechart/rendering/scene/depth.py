"""Scenes for depth: simple things, some on pedestals, on a tiled floor.

In half of the pairs the nearer thing is lower in the image, and in half its box is larger, so
neither cue alone determines the answer.
"""

import itertools
import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from eyechart.rendering.attempts import NoRoomError
from eyechart.rendering.renderer import View
from eyechart.rendering.scene.materials import Surface
from eyechart.rendering.scene.model import Camera, Scene, Solid, Thing
from eyechart.rendering.scene.viewing import (
    facing,
    focal_px,
    jittered_camera,
    lights,
    orbit,
    project,
)
from eyechart.rendering.scene.vocabulary import COLORS

SHAPES = {"cube": "block", "sphere": "ball", "cylinder": "drum"}
BOX_COLORS = ("red", "blue")  # reserved for boxes, not used for things
MARGIN = 0.05  # minimum depth difference, as a share of the farther thing's depth
LEAST_PX = 0.005  # minimum visible share of the image per thing
STONE = Surface((120, 120, 120))
TILES = Surface((178, 178, 178), (205, 205, 205), pattern="checker", cells=6)
TRIES = 400
# Whether the nearer thing is lower, and whether it is larger, in the image
CUES = ((True, True), (True, False), (False, True), (False, False))
Box = list[int]  # left, top, right, bottom: the right and bottom edges are outside


@dataclass(frozen=True)
class PlannedThing:
    """One planned thing: its name, kind, surface, half-width, position and pedestal height."""

    name: str
    kind: str
    surface: Surface
    size: float
    at: tuple[float, float]
    pedestal: float

    @property
    def middle(self) -> tuple[float, float, float]:
        """Return the centre of the thing, in world units."""
        return (*self.at, self.pedestal + self.size)

    def things(self, turn: float) -> list[Thing]:
        """Build the thing and, if it is not on the floor, its pedestal."""
        body = Solid(self.kind, (0, 0, self.pedestal + self.size), (self.size,) * 3)
        found = [Thing(self.name, {"body": body}, {"own": self.surface}, (*self.at, 0.0), turn)]
        if self.pedestal:
            high = self.pedestal / 2
            post = Solid("drum", (0, 0, high), (self.size * 0.7, self.size * 0.7, high))
            found.append(Thing("pedestal", {"body": post}, {"own": STONE}, (*self.at, 0.0)))
        return found


def draw_planned(rng: random.Random, extent: float, count: int) -> list[PlannedThing]:
    """Draw things with different names that do not touch.

    Raise a NoRoomError if they do not fit.
    """
    colors = rng.sample([c for c in COLORS if c not in BOX_COLORS], count)
    found: list[PlannedThing] = []
    for color in colors:
        shape = rng.choice(list(SHAPES))
        finish = rng.choice(("rubber", "rubber", "metal"))
        planned = PlannedThing(
            f"{color} {shape}", SHAPES[shape], Surface(COLORS[color], finish=finish),
            round(rng.uniform(0.25, 0.6), 6),
            (round(rng.uniform(-extent, extent), 6), round(rng.uniform(-extent, extent), 6)),
            round(rng.uniform(0.2, 1.3), 6) if rng.random() < 0.6 else 0.0,
        )  # fmt: skip
        if any(math.dist(planned.at, o.at) < 1.2 * (planned.size + o.size) for o in found):
            raise NoRoomError
        found.append(planned)
    return found


def draw_camera(rng: random.Random, settings: dict[str, Any]) -> Camera:
    """Draw a camera at any azimuth, lower than in the settings and with a wider view."""
    camera = orbit(
        jittered_camera(rng, settings), rng.uniform(-180, 180), rng.uniform(-15, 0), zoom=1.1
    )
    x, y, z = camera.target
    return orbit(camera, target=(x, y, round(z + 0.4, 6)))


def draw_pair(
    rng: random.Random, settings: dict[str, Any], cue: tuple[bool, bool]
) -> tuple[list[PlannedThing], Camera]:
    """Draw a camera and two or three things, the first of which is nearer than the second.

    Raise a NoRoomError if no draw satisfies the cue; another call may succeed.

    ``cue``: whether the nearer thing must be lower, and whether it must be larger, in the image.
    """
    image_px = settings["image_px"]
    for _ in range(TRIES):
        camera = draw_camera(rng, settings)
        try:
            found = draw_planned(rng, settings["extent"], rng.randint(2, 3))
        except NoRoomError:
            continue
        at = project(camera, [s.middle for s in found[:2]], image_px)  # (2, 3)
        if at[0, 2] > at[1, 2]:
            found[:2], at = found[1::-1], at[::-1]
        focal = focal_px(camera, image_px[0])
        radius = [found[n].size * focal / at[n, 2] for n in (0, 1)]
        lower = at[0, 1] + radius[0] > at[1, 1] + radius[1]
        plain = at[1, 2] - at[0, 2] > 1.2 * MARGIN * at[1, 2]
        if plain and (lower, radius[0] > radius[1]) == cue:
            return found, camera
    raise NoRoomError


def scene_of(
    rng: random.Random, settings: dict[str, Any], planned: list[PlannedThing], camera: Camera
) -> Scene:
    """Return planned things on the tiled floor, lit for a camera; pedestals follow the things."""
    built = [s.things(round(rng.uniform(0, 360), 6)) for s in planned]
    things = [b[0] for b in built] + [post for b in built for post in b[1:]]
    return Scene(tuple(things), lights(rng, settings, facing(camera)), camera, floor=TILES)


def check_pair(view: View, cue: tuple[bool, bool], count: int) -> tuple[list[Box], list[float]]:
    """Return the boxes and median depths of the first two things, after checking the view.

    Raise a NoRoomError if a thing is hardly visible, extends beyond the image or overlaps another,
    if a lamp is visible, if the first is not clearly nearer, or if a cue is not as planned.

    ``count``: number of things; the objects after them are pedestals.
    """
    masks = [view.thing == n for n in (1, 2)]
    width, height = view.image_px
    if min(mask.sum() for mask in masks) < LEAST_PX * width * height:
        raise NoRoomError
    boxes = [box_of(mask) for mask in masks]
    depths = [float(np.median(view.depth[mask])) for mask in masks]
    near, far = boxes
    edge = any(min(b[:2]) < 2 or b[2] > width - 2 or b[3] > height - 2 for b in boxes)
    others = [box_of(view.thing == n) for n in np.unique(view.thing) if 2 < n <= count]
    overlaps = any(overlap(*pair) for pair in itertools.combinations([*boxes, *others], 2))
    seen = near[3] > far[3], area(near) > area(far)
    ties = near[3] == far[3] or area(near) == area(far)
    plain = depths[1] - depths[0] >= MARGIN * depths[1]
    if view.shows_lamp or edge or overlaps or ties or seen != cue or not plain:
        raise NoRoomError
    return boxes, depths


def box_of(mask: np.ndarray) -> Box:
    """Return the bounding box of a bool mask (h, w), not all false."""
    rows, columns = np.nonzero(mask)
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


def overlap(one: Box, other: Box) -> bool:
    """Return whether two boxes overlap."""
    return all(min(one[i + 2], other[i + 2]) > max(one[i], other[i]) for i in (0, 1))


def area(box: Box) -> int:
    """Return the area of a box in pixels."""
    return (box[2] - box[0]) * (box[3] - box[1])
