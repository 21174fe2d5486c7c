"""Place objects in a scene, given its camera and lights.

Positions are relative to the viewer: ``across`` to the right of the target and ``behind`` it, in
world units. No object hides much of another.
"""

import math
import random
from typing import Any

from eyechart.rendering.attempts import NoRoomError
from eyechart.rendering.scene.clevr import Plan, half_width, view_directions
from eyechart.rendering.scene.props import REACH
from eyechart.rendering.scene.vocabulary import ATTRIBUTES, COLORS, SHAPES, SIZES

Object = dict[str, Any]
TRIES = 100
MOST_OTHERS = 2  # maximum number of other objects, so that pairs stay simple
ASIDE = 0.8  # share of both half-widths; closer objects hide too much of each other


def floor_radius(obj: Object) -> float:
    """Return an object's radius along the floor, in world units."""
    return SIZES[obj["size"]] * (REACH[obj["shape"]] if "form" in obj else 1.0)


def attributes(rng: random.Random, **given: str) -> Object:
    """Draw the size, color, material and shape that are not given, each uniformly."""
    return {name: given.get(name) or rng.choice(values) for name, values in ATTRIBUTES.items()}


class SceneStage:
    """The camera and lights of one scene, drawn once and shared by both images of a pair.

    Parameters
    ----------
    rng : random.Random; the only source of randomness
    settings : ``camera``, ``light_jitter``, ``extent``, ``gap``, ``objects`` [low, high]
    """

    def __init__(self, rng: random.Random, settings: dict[str, Any]) -> None:
        self.rng, self.settings = rng, settings
        jitter, shift = settings["camera"]["jitter"], settings["light_jitter"]
        camera = settings["camera"]
        position = [round(x + rng.uniform(-jitter, jitter), 6) for x in camera["position"]]
        self.camera = {"position": position, "target": camera["target"], "fov": camera["fov"]}
        self.lights = [[round(shift * rng.uniform(-1, 1), 6) for _ in range(3)] for _ in range(2)]
        named = view_directions(self.camera)
        self.right, self.behind = named["right"], named["behind"]
        self.azimuth = math.degrees(math.atan2(self.right[1], self.right[0]))

    def plan(self, objects: list[Object], camera: dict[str, Any] | None = None) -> Plan:
        """Return the plan of an image, with the stage's camera or another."""
        return {"objects": objects, "camera": camera or self.camera, "lights": self.lights}

    def place_at(
        self, thing: Object, across: float, behind: float, turn: float | None = None
    ) -> Object:
        """Place a thing on the floor, rotated ``turn`` degrees from the viewer (None: randomly)."""
        target = self.camera["target"]
        x, y = (target[i] + across * self.right[i] + behind * self.behind[i] for i in (0, 1))
        angle = self.rng.uniform(0, 360) if turn is None else self.azimuth + turn
        coords = [round(x, 6), round(y, 6), round(half_width(thing), 6)]
        return {**thing, "3d_coords": coords, "rotation": round(angle % 360, 6)}

    def place_randomly(
        self, thing: Object, share: float = 1.0, turn: float | None = None
    ) -> Object:
        """Place a thing at random within a share of the extent."""
        far = self.settings["extent"] * share
        return self.place_at(thing, self.rng.uniform(-far, far), self.rng.uniform(-far, far), turn)

    def others(self, queried: list[Object], own: int = 1, least: int = 0) -> list[Object]:
        """Draw as many objects as fit, with other shapes and colours than the queried objects.

        Raise a NoRoomError if fewer fit.

        Parameters
        ----------
        queried : all objects of the question, at their positions in either image
        own : number of queried objects in one image
        least : minimum number of objects to draw
        """
        wanted = min(MOST_OTHERS, self.rng.randint(*self.settings["objects"]) - own)
        shapes = [s for s in SHAPES if s not in {thing["shape"] for thing in queried}]
        colors = [c for c in COLORS if c not in {thing["color"] for thing in queried}]
        found: list[Object] = []
        for color in self.rng.sample(colors, max(least, wanted, 0)):
            thing = attributes(self.rng, shape=self.rng.choice(shapes), color=color)
            try:
                found.append(self.place_free(thing, [*queried, *found]))
            except NoRoomError:
                if len(found) < least:
                    raise
        return found

    def place_free(self, thing: Object, standing: list[Object]) -> Object:
        """Place a thing where it and the others neither touch nor hide one another.

        Raise a NoRoomError if no such position is found.
        """
        for _ in range(TRIES):
            placed = self.place_randomly(thing)
            if all(self._is_clear(placed, other) for other in standing):
                return placed
        raise NoRoomError

    def _is_clear(self, a: Object, b: Object) -> bool:
        """Return whether two things neither touch on the floor nor overlap in the camera's view."""
        gap = math.dist(a["3d_coords"][:2], b["3d_coords"][:2]) - floor_radius(a) - floor_radius(b)
        seen = []
        for obj in (a, b):
            position = self.camera["position"]
            away = math.dist(position, obj["3d_coords"])
            offset = [x - p for x, p in zip(obj["3d_coords"], position, strict=True)]
            across = offset[0] * self.right[0] + offset[1] * self.right[1]
            seen.append((across / away, floor_radius(obj) / away))
        aside = abs(seen[0][0] - seen[1][0]) >= ASIDE * (seen[0][1] + seen[1][1])
        return aside and gap >= self.settings["gap"]
