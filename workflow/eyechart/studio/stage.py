"""An empty scene to stand things in: its camera and lights, and where left and behind are.

Places are told as the viewer sees them: ``across`` to the right of the target and ``behind`` it,
in world units. Things that a question is about are never hidden by others.
"""

import math
import random
from typing import Any

from eyechart.studio.props import REACH
from eyechart.studio.scenes import Plan, half_width, view_directions
from eyechart.studio.vocabulary import ATTRIBUTES, COLORS, SHAPES, SIZES

Object = dict[str, Any]
TRIES = 100
MOST_OTHERS = 2  # besides what is asked about, whatever the look allows: a pair is to be plain
OVERLAP = 0.8  # the nearer of two hides the other if they stand closer, of their common width


class NoRoomError(Exception):
    """The other things find no place; another draw may."""


def reach(obj: Object) -> float:
    """Give how far an object reaches from its middle along the floor, in world units."""
    return SIZES[obj["size"]] * (REACH[obj["shape"]] if "form" in obj else 1.0)


def attributes(rng: random.Random, **given: str) -> Object:
    """Draw size, color, material and shape, each uniformly, but for those given."""
    return {name: given.get(name) or rng.choice(values) for name, values in ATTRIBUTES.items()}


class Stage:
    """The camera and lights of one scene, drawn once and shared by both pictures of a pair.

    Parameters
    ----------
    rng : random.Random
        The only source of chance.
    settings : dict
        The look: ``camera``, ``light_jitter``, ``extent``, ``gap``, ``objects`` [low, high].
    """

    def __init__(self, rng: random.Random, settings: dict[str, Any]) -> None:
        self.rng, self.settings = rng, settings
        jitter, shift = settings["camera"]["jitter"], settings["light_jitter"]
        position = [round(x + rng.uniform(-jitter, jitter), 6)
                    for x in settings["camera"]["position"]]  # fmt: skip
        self.camera = {
            **{k: settings["camera"][k] for k in ("target", "fov")},
            "position": position,
        }
        self.lights = [[round(shift * rng.uniform(-1, 1), 6) for _ in range(3)] for _ in range(2)]
        named = view_directions(self.camera)
        self.right, self.behind = named["right"], named["behind"]
        self.azimuth = math.degrees(math.atan2(self.right[1], self.right[0]))

    def plan(self, objects: list[Object], camera: dict[str, Any] | None = None) -> Plan:
        """Give the plan of a picture, seen by the stage's own camera or another."""
        return {"objects": objects, "camera": camera or self.camera, "lights": self.lights}

    def stand(
        self, thing: Object, across: float, behind: float, turn: float | None = None
    ) -> Object:
        """Stand a thing on the floor; ``turn`` is in degrees from facing the viewer, else drawn."""
        target = self.camera["target"]
        x, y = (target[i] + across * self.right[i] + behind * self.behind[i] for i in (0, 1))
        angle = self.rng.uniform(0, 360) if turn is None else self.azimuth + turn
        coords = [round(x, 6), round(y, 6), round(half_width(thing), 6)]
        return {**thing, "3d_coords": coords, "rotation": round(angle % 360, 6)}

    def anywhere(self, thing: Object, share: float = 1.0, turn: float | None = None) -> Object:
        """Stand a thing somewhere within a share of the extent."""
        far = self.settings["extent"] * share
        return self.stand(thing, self.rng.uniform(-far, far), self.rng.uniform(-far, far), turn)

    def count_others(self, asked: int, least: int = 0) -> int:
        """Draw how many other things stand beside ``asked`` ones: never many."""
        wanted = self.rng.randint(*self.settings["objects"]) - asked
        return max(least, min(MOST_OTHERS, wanted))

    def others(self, asked: list[Object], count: int) -> list[Object]:
        """Draw things of shapes and colours not asked about, where they hide nothing asked about."""
        shapes = [s for s in SHAPES if s not in {thing["shape"] for thing in asked}]
        colors = [c for c in COLORS if c not in {thing["color"] for thing in asked}]
        found: list[Object] = []
        for color in self.rng.sample(colors, count):
            thing = attributes(self.rng, shape=self.rng.choice(shapes), color=color)
            found.append(self.fit(thing, asked, [*asked, *found]))
        return found

    def fit(self, thing: Object, shown: list[Object], standing: list[Object]) -> Object:
        """Stand a thing where it touches none and hides none of ``shown``.

        Raises
        ------
        NoRoomError
            If no place is found.
        """
        for _ in range(TRIES):
            stood = self.anywhere(thing)
            free = all(self._gap(stood, o) >= self.settings["gap"] for o in standing)
            if free and not any(self._hides(stood, o) for o in shown):
                return stood
        raise NoRoomError

    def _gap(self, a: Object, b: Object) -> float:
        return math.dist(a["3d_coords"][:2], b["3d_coords"][:2]) - reach(a) - reach(b)

    def _hides(self, near: Object, far: Object) -> bool:
        offset = [n - f for n, f in zip(near["3d_coords"], far["3d_coords"], strict=True)]
        apart = abs(offset[0] * self.right[0] + offset[1] * self.right[1])
        nearer = offset[0] * self.behind[0] + offset[1] * self.behind[1] < 0
        return nearer and apart < OVERLAP * (reach(near) + reach(far))
