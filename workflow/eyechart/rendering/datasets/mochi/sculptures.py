"""Novel objects for odd-one-out: pillars with attached parts, and variants with the same parts.

Two sculptures of one trial have the same grey pillar and the same parts, sizes and colours. Only
the attachment sites differ, so they differ in shape alone. No rotation about the vertical axis and
no reflection maps one to the other.
"""

import itertools
import random

from eyechart.rendering.scene.materials import GREY, Surface, palette
from eyechart.rendering.scene.model import Solid, Thing

SIDES = (0, 90, 180, 270)  # degrees about the pillar
LEVELS = (0.35, 0.95, 1.55)  # heights on the pillar, in object units
PARTS = 4
MOVED = 2  # minimum number of relocated parts in the odd one
CONDITIONS = ("plain", "painted")  # one colour for all parts, or a colour for each
Site = tuple[int, int]  # indices of side and level
Sites = dict[str, Site]  # kind of part -> attachment site

SITES = list(itertools.product(range(len(SIDES)), range(len(LEVELS))))
# Kind, extent outwards, half-width, half-height; all clearly different
KINDS = {
    "ball": ("ball", 0.62, 0.31, 0.31),
    "block": ("block", 0.5, 0.3, 0.25),
    "rod": ("drum", 1.05, 0.11, 0.11),
    "slab": ("block", 0.75, 0.36, 0.09),
    "cone": ("cone", 0.85, 0.3, 0.3),
    "disk": ("drum", 0.2, 0.42, 0.42),
}


def draw_sites(rng: random.Random) -> Sites:
    """Draw the parts of a sculpture and their sites, at most two per side."""
    kinds = rng.sample(list(KINDS), PARTS)
    while True:
        sites = dict(zip(kinds, rng.sample(SITES, PARTS), strict=True))
        if _stable(sites):
            return sites


def draw_odd(rng: random.Random, sites: Sites) -> Sites:
    """Draw a different arrangement of the same parts, at any level."""
    while True:
        other = dict(zip(sites, rng.sample(SITES, len(sites)), strict=True))
        if _stable(other) and difference(sites, other) >= MOVED:
            return other


def difference(one: Sites, other: Sites) -> int:
    """Return the number of relocated parts, minimised over rotations and reflections."""
    turns = itertools.product(range(len(SIDES)), (1, -1))
    return min(
        sum(
            other[kind] != ((way * side + turn) % len(SIDES), level)
            for kind, (side, level) in one.items()
        )
        for turn, way in turns
    )


def draw_surfaces(rng: random.Random, condition: str, kinds: list[str]) -> dict[str, Surface]:
    """Draw the colours shared by all sculptures of a trial."""
    finish = rng.choice(("rubber", "gloss"))  # metal reflects the parts and hides their shape
    colors = palette(rng, len(kinds))
    if condition == "plain":
        colors = [colors[0]] * len(colors)
    surfaces = {
        kind: Surface(color, finish=finish) for kind, color in zip(kinds, colors, strict=True)
    }
    return {"pillar": Surface(GREY, finish=finish), **surfaces}


def build(sites: Sites, surfaces: dict[str, Surface], half_width: float, turn: float) -> Thing:
    """Build a sculpture from its attachment sites and surfaces.

    Parameters
    ----------
    half_width : half-width of its pillar, in units of the object frame
    turn : rotation about the vertical axis, in degrees
    """
    solids = {"pillar": Solid("block", (0, 0, 0.95), (half_width, half_width, 0.95), (), "pillar")}
    for kind, (side, level) in sites.items():
        body, reach, across, up = KINDS[kind]
        out = half_width + reach / 2 - 0.04
        # a block extends along x; a block rotated out of z has its long side there
        upright = body in ("drum", "cone")
        scale = (up, across, reach / 2) if upright else (reach / 2, across, up)
        turns = (("y", 90.0),) if upright else ()
        angle = SIDES[side]
        x, y = ((1, 0), (0, 1), (-1, 0), (0, -1))[side]
        at = (x * out, y * out, LEVELS[level])
        solids[kind] = Solid(body, at, scale, (*turns, ("z", float(angle))), kind, 0.15)
    return Thing("sculpture", solids, surfaces, turn=turn)


def _stable(sites: Sites) -> bool:
    """Return whether the parts occupy at least three sides and two heights."""
    sides, levels = zip(*sites.values(), strict=True)
    return len(set(sides)) >= 3 and len(set(levels)) >= 2
