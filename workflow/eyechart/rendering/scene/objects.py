"""Things made of named parts, and scenes of things."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from eyechart.rendering.scene.materials import FLOOR, Surface
from eyechart.rendering.scene.meshes import Mesh, body, moved

Triple = tuple[float, float, float]
Turn = tuple[str, float]  # axis and degrees
GROUND = Surface(FLOOR)


@dataclass(frozen=True)
class Solid:
    """One body of a thing: scaled, then rotated (in this order), then translated.

    Attributes
    ----------
    kind, shape : see :func:`eyechart.rendering.scene.meshes.body`
    at, scale : in the thing's object frame: floor at z = 0, front to +x
    turns : axis (``x``, ``y``, ``z``) and degrees
    paint : key of the thing's surface
    """

    kind: str
    at: Triple
    scale: Triple
    turns: tuple[Turn, ...] = ()
    paint: str = "own"
    shape: float = 0.0


@dataclass(frozen=True)
class Thing:
    """A thing with several parts.

    Attributes
    ----------
    name : what it is, e.g. ``creature``
    solids : ``<part>`` or ``<part>.<which>`` -> its body; two wheels are one part of two bodies
    surfaces : paint -> surface
    at, turn, size : position (world units), degrees about z, world units per object unit
    """

    name: str
    solids: dict[str, Solid]
    surfaces: dict[str, Surface]
    at: Triple = (0.0, 0.0, 0.0)
    turn: float = 0.0
    size: float = 1.0

    def meshes(self) -> Iterator[tuple[str, Mesh, Surface]]:
        """Yield the name, the mesh in world units, and the surface of every body."""
        place = _moved(self.at) @ rotation("z", self.turn) @ _scaled((self.size,) * 3)
        for name, solid in self.solids.items():
            matrix = place @ _moved(solid.at)
            for axis, degrees in reversed(solid.turns):
                matrix = matrix @ rotation(axis, degrees)
            matrix = matrix @ _scaled(solid.scale)
            yield name, moved(body(solid.kind, solid.shape), matrix), self.surfaces[solid.paint]


@dataclass(frozen=True)
class Light:
    """A square light: position, size (half a side), radiance in R, G, B."""

    position: Triple
    scale: float
    radiance: Triple


@dataclass(frozen=True)
class Scene:
    """Things on a floor and their lights; cameras are separate."""

    things: tuple[Thing, ...]
    lights: tuple[Light, ...]
    sky: Triple = (0.35, 0.35, 0.35)
    floor: Surface = GROUND


def part_of(name: str) -> str:
    """Return the part that a body belongs to: ``wheel`` for ``wheel.left``."""
    return name.split(".", maxsplit=1)[0]


def rotation(axis: str, degrees: float) -> np.ndarray:
    """Return the 4 x 4 matrix of a rotation about x, y or z."""
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.eye(4)
    matrix[[first, second], [first, second]] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


def _moved(by: Triple) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = by
    return matrix


def _scaled(by: Triple) -> np.ndarray:
    return np.diag([*by, 1.0])
