"""Novel things for odd one out: a pillar with parts stuck to it, and others of the same parts.

Two sculptures of one trial have the same grey pillar, the same parts, sizes and colours; they
differ in where the parts stick. So what tells them apart is shape. No turn about the upright axis
and no mirror makes one of the other.
"""

import itertools
import random

from eyechart.rendering.scene.materials import GREY, Surface, palette
from eyechart.rendering.scene.objects import Solid, Thing

SIDES = (0, 90, 180, 270)  # degrees about the pillar
LEVELS = (0.35, 0.95, 1.55)  # heights on the pillar, in own units
PARTS = 4
MOVED = 2  # parts of the odd one that stick elsewhere, at least
CONDITIONS = ("plain", "painted")  # one colour for all parts, or a colour for each
Site = tuple[int, int]  # which of the sides, which of the levels
Sites = dict[str, Site]  # kind of part -> where it sticks

# Kind, how far it reaches out, half as wide, half as high; all plainly different
KINDS = {
    "ball": ("ball", 0.62, 0.31, 0.31),
    "block": ("block", 0.5, 0.3, 0.25),
    "rod": ("drum", 1.05, 0.11, 0.11),
    "slab": ("block", 0.75, 0.36, 0.09),
    "cone": ("cone", 0.85, 0.3, 0.3),
    "disk": ("drum", 0.2, 0.42, 0.42),
}


def draw_sites(rng: random.Random) -> Sites:
    """Draw which parts a sculpture has and where they stick, at most two on one side."""
    kinds = rng.sample(list(KINDS), PARTS)
    every = [(side, level) for side in range(len(SIDES)) for level in range(len(LEVELS))]
    while True:
        sites = dict(zip(kinds, rng.sample(every, PARTS), strict=True))
        if _stable(sites):
            return sites


def draw_odd(rng: random.Random, sites: Sites) -> Sites:
    """Draw another arrangement of the same parts, on the same levels or others."""
    every = [(side, level) for side in range(len(SIDES)) for level in range(len(LEVELS))]
    while True:
        other = dict(zip(sites, rng.sample(every, len(sites)), strict=True))
        if _stable(other) and difference(sites, other) >= MOVED:
            return other


def difference(one: Sites, other: Sites) -> int:
    """Count the parts that stick elsewhere, however the other is turned or mirrored."""
    turns = itertools.product(range(len(SIDES)), (1, -1))
    return min(
        sum(
            other[kind] != ((way * side + turn) % len(SIDES), level)
            for kind, (side, level) in one.items()
        )
        for turn, way in turns
    )


def draw_looks(rng: random.Random, condition: str, kinds: list[str]) -> dict[str, Surface]:
    """Draw the colours that every sculpture of a trial has."""
    finish = rng.choice(("rubber", "gloss"))  # metal mirrors the parts and hides their shape
    colors = palette(rng, len(kinds))
    if condition == "plain":
        colors = [colors[0]] * len(colors)
    looks = {kind: Surface(color, finish=finish) for kind, color in zip(kinds, colors, strict=True)}
    return {"pillar": Surface(GREY, finish=finish), **looks}


def build(sites: Sites, looks: dict[str, Surface], wide: float, turn: float) -> Thing:
    """Build a sculpture.

    Parameters
    ----------
    wide : float
        Half the width of its pillar, in own units.
    turn : float
        Degrees that it is turned about the upright axis.
    """
    solids = {"pillar": Solid("block", (0, 0, 0.95), (wide, wide, 0.95), (), "pillar")}
    for kind, (side, level) in sites.items():
        body, reach, across, up = KINDS[kind]
        out = wide + reach / 2 - 0.04
        # a block lies along x as it is; what is turned out of z has its long side there
        upright = body in ("drum", "cone")
        scale = (up, across, reach / 2) if upright else (reach / 2, across, up)
        turns = (("y", 90.0),) if upright else ()
        angle = SIDES[side]
        x, y = ((1, 0), (0, 1), (-1, 0), (0, -1))[side]
        at = (x * out, y * out, LEVELS[level])
        solids[kind] = Solid(body, at, scale, (*turns, ("z", float(angle))), kind, 0.15)
    return Thing("sculpture", solids, looks, turn=turn)


def _stable(sites: Sites) -> bool:
    """Tell whether parts are spread over three sides at least, at two heights at least."""
    sides, levels = zip(*sites.values(), strict=True)
    return len(set(sides)) >= 3 and len(set(levels)) >= 2
