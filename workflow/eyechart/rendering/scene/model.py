"""The scene model: things made of solids, lights, floor, sky and a camera."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from eyechart.rendering.scene.materials import FLOOR, Surface
from eyechart.rendering.scene.meshes import EXACT, Mesh, body, moved

Triple = tuple[float, float, float]
Turn = tuple[str, float]  # axis and degrees
GROUND = Surface(FLOOR)


@dataclass(frozen=True)
class Solid:
    """One body of a thing: scaled, then rotated (in this order), then translated."""

    # kind, shape: one of :data:`eyechart.rendering.scene.meshes.EXACT`, or a mesh; see
    # :func:`eyechart.rendering.scene.meshes.body`
    kind: str
    # at, scale: in the thing's object frame
    at: Triple = (0.0, 0.0, 0.0)
    scale: Triple = (1.0, 1.0, 1.0)
    turns: tuple[Turn, ...] = ()  # axis (``x``, ``y``, ``z``) and degrees
    paint: str = "own"  # key of the thing's surface
    shape: float = 0.0


@dataclass(frozen=True)
class Thing:
    """A thing with one or more parts."""

    name: str  # its kind, e.g. ``creature``
    # ``<part>`` or ``<part>.<which>`` -> its body; two wheels are one part with two bodies
    solids: dict[str, Solid]
    surfaces: dict[str, Surface]  # paint -> surface
    # at, turn, size: position (world units), degrees about z, world units per object unit
    at: Triple = (0.0, 0.0, 0.0)
    turn: float = 0.0
    size: float = 1.0

    def mesh(self, solid: Solid) -> Mesh:
        """Return the mesh of a body in world units."""
        matrix = _moved(self.at) @ rotation("z", self.turn) @ np.diag([*(self.size,) * 3, 1.0])
        matrix = matrix @ _moved(solid.at)
        for axis, degrees in reversed(solid.turns):
            matrix = matrix @ rotation(axis, degrees)
        return moved(body(solid.kind, solid.shape), matrix @ np.diag([*solid.scale, 1.0]))

    def meshes(self) -> Iterator[Mesh]:
        """Yield the mesh of every body that has a mesh."""
        return (self.mesh(solid) for solid in self.solids.values() if solid.kind not in EXACT)


@dataclass(frozen=True)
class Light:
    """A square light: position, size (half a side), radiance in R, G, B."""

    position: Triple
    scale: float
    radiance: Triple


@dataclass(frozen=True)
class Camera:
    """A pinhole camera."""

    # position, target: world units
    position: Triple
    target: Triple
    fov: float  # horizontal field of view in degrees
    # rotation of the camera about its axis in degrees, clockwise; the image turns back; None:
    # upright
    roll: float | None = None

    def axes(self) -> np.ndarray:
        """Return the unit vectors right, up and forward as rows (3, 3)."""
        forward = np.subtract(self.target, self.position)
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        up = np.cross(right, forward)
        turn = math.radians(self.roll or 0.0)
        rolled = math.cos(turn) * right - math.sin(turn) * up
        return np.stack([rolled, np.cross(rolled, forward), forward])

    def up(self) -> list[float]:
        """Return a direction that is up in the image; for an upright camera, the world's up."""
        return [0.0, 0.0, 1.0] if self.roll is None else self.axes()[1].tolist()


@dataclass(frozen=True, eq=False)  # hashable, so that a scene is loaded once for several renders
class Scene:
    """Things on a floor, their lights, and the camera that sees them."""

    things: tuple[Thing, ...]
    lights: tuple[Light, ...]
    camera: Camera
    sky: Triple = (0.35, 0.35, 0.35)
    floor: Surface = GROUND


def part_of(name: str) -> str:
    """Return the part that a body belongs to, e.g. ``wheel`` for ``wheel.left``."""
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
