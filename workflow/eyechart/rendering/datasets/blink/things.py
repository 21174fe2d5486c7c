"""Things whose parts have names: four species, and seven tools.

For semantic correspondence, two things of one species have the same parts but differ in
proportions, in the bodies of their parts, in colours and in size.

For functional correspondence, a part of a tool is named by its function, which other tools share:
``grasp``, ``pour``, ``hold`` (the content), ``cover``, ``stand``. ``strike``, ``pierce``, ``dig``,
``step``, ``knock`` and ``hang`` belong to one kind only and are never queried. Every tool has at
least four parts.
"""

import random
from collections.abc import Callable

from eyechart.rendering.scene.materials import DARK, FINISHES, Surface, palette
from eyechart.rendering.scene.model import Solid, Thing

Solids = dict[str, Solid]
Kinds = dict[str, Callable[[random.Random], Solids]]
ROUND = ("ball", "block", "drum")
PAINTS = ("own", "second", "third", "fourth", "fifth")


def _creature(rng: random.Random) -> Solids:
    """Build a body on four feet, with a head, eyes, horns and a tail, facing +x."""
    long, wide, leg = rng.uniform(0.5, 0.75), rng.uniform(0.32, 0.45), rng.uniform(0.2, 0.45)
    middle, skull = leg + wide * 0.9, rng.uniform(0.26, 0.36)
    head = (long + skull * 0.5, 0.0, middle + rng.uniform(0.3, 0.6))
    foot, horn = rng.choice(("drum", "block")), rng.uniform(0.22, 0.4)
    solids = {
        "body": Solid(rng.choice(ROUND), (0, 0, middle), (long, wide, wide)),
        "head": Solid(rng.choice(("ball", "block")), head, (skull,) * 3, paint="second"),
        "tail": Solid(
            rng.choice(("cone", "drum")), (-long - 0.28, 0, middle + 0.2), (0.13, 0.13, 0.45),
            (("y", rng.uniform(-70, -30)),), "third", 0.3,
        ),
    }  # fmt: skip
    for n, (x, y) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
        at = (x * long * 0.68, y * wide * 0.75, leg / 2 + 0.06)
        solids[f"foot.{n}"] = Solid(foot, at, (0.17, 0.17, leg / 2 + 0.06), (), "fourth")
    for n, y in enumerate((-1, 1)):
        at = (head[0], y * skull * 0.6, head[2] + skull + horn * 0.5)
        solids[f"horn.{n}"] = Solid("cone", at, (0.13, 0.13, horn), (("x", -12 * y),), "third", 0.2)
        eye = (head[0] + skull * 0.85, y * skull * 0.45, head[2] + skull * 0.25)
        solids[f"head.eye{n}"] = Solid("ball", eye, (0.08,) * 3, (), "dark")
    return solids


def _cart(rng: random.Random) -> Solids:
    """Build a bed on four wheels, with a cabin, a chimney and a lamp at its front."""
    long, wide = rng.uniform(0.75, 0.95), rng.uniform(0.38, 0.5)
    wheel, cabin = rng.uniform(0.24, 0.36), rng.uniform(0.26, 0.42)
    top = wheel + 0.36
    solids = {
        "bed": Solid("block", (0, 0, wheel + 0.18), (long, wide, 0.2)),
        "cabin": Solid(
            rng.choice(("block", "drum")), (-long + 0.4, 0, top + cabin), (0.36, 0.36, cabin), (),
            "second",
        ),
        "chimney": Solid(
            rng.choice(("cone", "drum")), (long * 0.45, 0, top + 0.26), (0.17, 0.17, 0.28), (),
            "third", 0.6,
        ),
        "lamp": Solid(
            rng.choice(("ball", "block")), (long + 0.1, 0, wheel + 0.25), (0.17,) * 3, (), "fourth"
        ),
    }  # fmt: skip
    for n, (x, y) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
        at = (x * long * 0.62, y * (wide + 0.08), wheel)
        solids[f"wheel.{n}"] = Solid("drum", at, (wheel, wheel, 0.09), (("x", 90),), "dark")
    return solids


def _plant(rng: random.Random) -> Solids:
    """Build a pot with a stem, two or three leaves and a blossom."""
    pot, stem, side = rng.uniform(0.28, 0.4), rng.uniform(0.5, 0.75), rng.choice((-1, 1))
    bloom, top = rng.uniform(0.26, 0.36), 2 * pot + 2 * stem
    solids = {
        "pot": Solid(rng.choice(("drum", "block", "ball")), (0, 0, pot), (0.42, 0.42, pot)),
        "stem": Solid("drum", (0, 0, 2 * pot + stem), (0.1, 0.1, stem), (), "second"),
        "blossom": Solid(
            rng.choice(ROUND), (0, 0, top + bloom * 0.7), (bloom, bloom, bloom), (), "third"
        ),
    }  # fmt: skip
    for n in range(rng.randint(2, 3)):
        height, way = 2 * pot + stem * (0.7 + 0.35 * n), side * (-1) ** n
        solids[f"leaf.{n}"] = Solid(
            rng.choice(("ball", "block")), (way * 0.45, 0, height), (0.38, 0.22, 0.07),
            (("y", -way * rng.uniform(10, 40)), ("z", rng.uniform(-30, 30))), "fourth",
        )  # fmt: skip
    return solids


def _house(rng: random.Random) -> Solids:
    """Build walls with a roof, a door facing +x, a chimney and a tree next to them."""
    wide, high = rng.uniform(0.5, 0.62), rng.uniform(0.35, 0.6)
    roof, tree = rng.uniform(0.25, 0.38), rng.uniform(0.3, 0.5)
    side = rng.choice((-1, 1))
    return {
        "walls": Solid(rng.choice(("block", "drum")), (0, 0, high), (wide, wide, high)),
        "roof": Solid(
            "cone", (0, 0, 2 * high + roof), (wide * 1.25, wide * 1.25, roof), (), "second",
            rng.choice((0.1, 0.55)),
        ),
        "door": Solid("block", (wide, 0, 0.26), (0.08, 0.18, 0.26), (), "third"),
        "tree": Solid("drum", (0.35, side * (wide + 0.4), tree * 0.4), (0.09,) * 2 + (tree * 0.4,),
                      (), "dark"),
        "tree.crown": Solid(
            rng.choice(("ball", "cone")), (0.35, side * (wide + 0.4), tree * 1.3),
            (0.28, 0.28, tree * 0.75), (), "fourth",
        ),
        "flag": Solid("drum", (0, 0, 2 * (high + roof) + 0.2), (0.04, 0.04, 0.3), (), "dark"),
        "flag.cloth": Solid(
            "block", (0, 0.24, 2 * (high + roof) + 0.36), (0.05, 0.24, 0.17), (), "fifth"
        ),
    }  # fmt: skip


SPECIES: Kinds = {"creature": _creature, "cart": _cart, "plant": _plant, "house": _house}


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


TOOLS: Kinds = {
    "mug": _mug,
    "kettle": _kettle,
    "can": _can,
    "pan": _pan,
    "hammer": _hammer,
    "spade": _spade,
    "lantern": _lantern,
}


def draw_thing(rng: random.Random, name: str) -> Thing:
    """Draw one thing of a species or kind of tool; its object frame is about two units wide."""
    colors = palette(rng, 5 if name in SPECIES else 4)
    finish = rng.choice(FINISHES)
    surfaces = {p: Surface(c, finish=finish) for p, c in zip(PAINTS, colors, strict=False)}
    return Thing(name, {**SPECIES, **TOOLS}[name](rng), {**surfaces, "dark": Surface(DARK)})
