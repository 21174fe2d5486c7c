"""Tools with parts whose functions other kinds of tools share, for functional correspondence.

A part is named by its function: ``grasp``, ``pour``, ``hold`` (the content), ``cover``, ``stand``;
``strike``, ``pierce``, ``dig``, ``step``, ``knock`` and ``hang`` belong to one kind only, and are
never queried. Every tool has at least four parts.
"""

import random
from collections.abc import Callable

from eyechart.rendering.scene.materials import DARK, FINISHES, Surface, palette
from eyechart.rendering.scene.objects import Solid, Thing

Solids = dict[str, Solid]


def _mug(rng: random.Random) -> Solids:
    """Build a cup on a saucer, with a handle at its side and a lid."""
    high, wide = rng.uniform(0.5, 0.65), rng.uniform(0.42, 0.52)
    return {
        "hold": Solid("drum", (0, 0, 0.16 + high), (wide, wide, high)),
        "grasp": Solid("arc", (wide - 0.06, 0, 0.16 + high), (0.5, 0.5, high * 0.8), (), "second",
                       0.26),
        "stand": Solid("drum", (0, 0, 0.07), (wide * 1.75, wide * 1.75, 0.07), (), "third"),
        "cover": Solid(rng.choice(("drum", "cone")), (0, 0, 0.3 + 2 * high),
                       (wide * 1.06, wide * 1.06, 0.14), (), "fourth", 0.5),
    }  # fmt: skip


def _kettle(rng: random.Random) -> Solids:
    """Build a round body with a handle over it, a spout and a lid."""
    wide = rng.uniform(0.55, 0.66)
    return {
        "hold": Solid(rng.choice(("ball", "drum")), (0, 0, 0.62), (wide, wide, 0.5)),
        "grasp": Solid("arc", (-wide + 0.1, 0, 0.7), (0.55, 0.55, 0.52), (("z", 180),), "second",
                       0.25),
        "pour": Solid("cone", (wide + 0.2, 0, 0.86), (0.2, 0.2, 0.48), (("y", 42),), "third", 0.5),
        "cover": Solid(rng.choice(("ball", "drum")), (0, 0, 1.18), (0.32, 0.32, 0.16), (),
                       "fourth"),
        "stand": Solid("drum", (0, 0, 0.08), (wide * 1.15, wide * 1.15, 0.1), (), "dark"),
    }  # fmt: skip


def _can(rng: random.Random) -> Solids:
    """Build a watering can: a box with a bow at its back and a long spout with a rose."""
    high = rng.uniform(0.4, 0.52)
    reach = rng.uniform(0.5, 0.65)
    return {
        "hold": Solid(rng.choice(("drum", "block")), (-0.2, 0, 0.14 + high), (0.5, 0.42, high)),
        "grasp": Solid("arc", (-0.62, 0, 0.2 + high), (0.52, 0.52, high), (("z", 180),), "second",
                       0.22),
        "pour": Solid("drum", (0.4 + reach * 0.6, 0, 0.42 + reach * 0.6), (0.11, 0.11, reach),
                      (("y", 50),), "third"),
        "pour.rose": Solid("cone", (0.45 + reach * 1.3, 0, 0.42 + reach * 1.2), (0.26, 0.26, 0.12),
                           (("y", -130),), "third", 0.5),
        "stand": Solid("block", (-0.2, 0, 0.06), (0.66, 0.58, 0.08), (), "dark"),
    }  # fmt: skip


def _pan(rng: random.Random) -> Solids:
    """Build a pot with a long handle, a lid with its knob, and a trivet under it."""
    wide, reach = rng.uniform(0.58, 0.7), rng.uniform(0.45, 0.6)
    return {
        "hold": Solid("drum", (-0.3, 0, 0.42), (wide, wide, 0.28)),
        "grasp": Solid(rng.choice(("block", "drum")), (wide + reach - 0.35, 0, 0.55),
                       (0.13, 0.13, reach), (("y", 90),), "second"),
        "cover": Solid("cone", (-0.3, 0, 0.8), (wide, wide, 0.12), (), "fourth", 0.5),
        "stand": Solid("block", (-0.3, 0, 0.07), (0.95, 0.95, 0.07), (("z", 45),), "dark"),
    }  # fmt: skip


def _hammer(rng: random.Random) -> Solids:
    """Build a hammer that stands on its pommel: a shaft, and a head with a flat and a sharp end."""
    long, wide = rng.uniform(0.5, 0.62), rng.uniform(0.42, 0.55)
    top = 0.5 + 2 * long
    return {
        "stand": Solid("drum", (0, 0, 0.1), (0.42, 0.42, 0.1), (), "dark"),
        "grasp": Solid(rng.choice(("drum", "block")), (0, 0, 0.25 + long), (0.13, 0.13, long), (),
                       "second"),
        "strike": Solid(rng.choice(("block", "drum")), (wide * 0.75, 0, top), (0.26, 0.26, wide),
                        (("y", 90),)),
        "pierce": Solid("cone", (-wide * 0.7, 0, top), (0.24, 0.24, wide * 0.8), (("y", -90),),
                     "fourth", 0.1),
    }  # fmt: skip


def _spade(rng: random.Random) -> Solids:
    """Build a spade that stands on its blade: a step for the foot, a shaft and a knob."""
    long = rng.uniform(0.4, 0.5)
    return {
        "dig": Solid(rng.choice(("block", "ball")), (0, 0, 0.4), (0.14, 0.5, 0.44)),
        "step": Solid("block", (0, 0, 0.9), (0.22, 0.6, 0.12), (), "fourth"),
        "grasp": Solid("drum", (0, 0, 1.0 + long), (0.13, 0.13, long), (), "second"),
        "knock": Solid(rng.choice(("ball", "block")), (0, 0, 1.15 + 2 * long), (0.27, 0.27, 0.22),
                       (), "third"),
    }  # fmt: skip


def _lantern(rng: random.Random) -> Solids:
    """Build a lantern: a foot, a body, a hat, and a bow to hang it by."""
    high, wide = rng.uniform(0.4, 0.5), rng.uniform(0.4, 0.48)
    top = 0.2 + 2 * high
    return {
        "stand": Solid(rng.choice(("drum", "block")), (0, 0, 0.1), (0.62, 0.62, 0.1), (), "dark"),
        "hold": Solid(rng.choice(("drum", "block", "ball")), (0, 0, 0.2 + high),
                      (wide, wide, high)),
        "cover": Solid("cone", (0, 0, top + 0.16), (wide * 1.4, wide * 1.4, 0.2), (), "fourth",
                       0.3),
        "hang": Solid("arc", (0, 0, top + 0.3), (0.45, 0.45, 0.42), (("y", -90), ("z", 90)),
                      "third", 0.24),
    }  # fmt: skip


TOOLS: dict[str, Callable[[random.Random], Solids]] = {
    "mug": _mug,
    "kettle": _kettle,
    "can": _can,
    "pan": _pan,
    "hammer": _hammer,
    "spade": _spade,
    "lantern": _lantern,
}


def draw_tool(rng: random.Random, name: str) -> Thing:
    """Draw one tool of a kind; its object frame is about two units wide."""
    colors = palette(rng, 4)
    finish = rng.choice(FINISHES)
    paints = ("own", "second", "third", "fourth")
    surfaces = {p: Surface(c, finish=finish) for p, c in zip(paints, colors, strict=True)}
    return Thing(name, TOOLS[name](rng), {**surfaces, "dark": Surface(DARK)})
