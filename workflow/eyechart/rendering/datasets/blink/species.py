"""Four kinds of things whose parts have names: creature, cart, plant and house.

Two things of one kind differ in proportions, in the bodies of their parts, in colours and in size,
but have the same parts. Used for semantic correspondence.
"""

import random
from collections.abc import Callable

from eyechart.rendering.scene.materials import DARK, FINISHES, Surface, palette
from eyechart.rendering.scene.objects import Solid, Thing

Solids = dict[str, Solid]
ROUND = ("ball", "block", "drum")


def _creature(rng: random.Random) -> Solids:
    """Build a body on four feet, with a head, eyes, horns and a tail; it looks to +x."""
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
    """Build walls with a roof, a door to +x, a chimney and a tree beside them."""
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


SPECIES: dict[str, Callable[[random.Random], Solids]] = {
    "creature": _creature,
    "cart": _cart,
    "plant": _plant,
    "house": _house,
}


def draw_specimen(rng: random.Random, name: str) -> Thing:
    """Draw one thing of a kind; its object frame is about two units wide."""
    colors = palette(rng, 5)
    finish = rng.choice(FINISHES)
    paints = ("own", "second", "third", "fourth", "fifth")
    surfaces = {p: Surface(c, finish=finish) for p, c in zip(paints, colors, strict=True)}
    return Thing(name, SPECIES[name](rng), {**surfaces, "dark": Surface(DARK)})
