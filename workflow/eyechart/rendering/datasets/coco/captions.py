"""Generate five true captions of a scene in five wordings, as COCO has for each image.

They name all objects (like the tiny models' captions), count them, list colours and shapes, state a
left-right relation, and list sizes and materials. Left and right are stated only if the boxes of
the two objects share no image column, so the relation is unambiguous.
"""

import random
from collections import Counter
from typing import Any

from eyechart.rendering.language.questions import caption, phrase
from eyechart.rendering.scene.vocabulary import ATTRIBUTES

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
Scene = dict[str, Any]


def captions(scene: Scene, rng: random.Random) -> list[str]:
    """Return five true captions of a scene whose objects have a ``bbox``."""
    return [
        caption(scene, rng),
        _counted(scene, rng),
        _listed(scene, rng),
        _placed(scene, rng),
        _made(scene, rng),
    ]


def _number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def _many(count: int, description: dict[str, str]) -> str:
    """Return a counted description: ``a red cube``, ``two red cubes``."""
    if count == 1:
        return f"a {phrase(description)}"
    return f"{_number(count)} {phrase(description, plural=True)}"


def _join(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _counted(scene: Scene, rng: random.Random) -> str:
    """Return a caption with the number of objects and their colours."""
    objects = rng.sample(scene["objects"], len(scene["objects"]))
    colors = list(dict.fromkeys(obj["color"] for obj in objects))
    if len(objects) == 1:
        return f"There is one thing on a gray floor, and it is {colors[0]}."
    paint = f"all {colors[0]}" if len(colors) == 1 else f"{_join(colors)} in color"
    return f"There are {_number(len(objects))} things on a gray floor, {paint}."


def _grouped(scene: Scene, attributes: tuple[str, ...], rng: random.Random) -> str:
    """Return counts of objects grouped by the given attributes, in random order."""
    groups = Counter(tuple(obj[a] for a in attributes) for obj in scene["objects"])
    parts = [
        _many(groups[values], dict(zip(attributes, values, strict=True)))
        for values in rng.sample(list(groups), len(groups))
    ]
    return _join(parts)


def _listed(scene: Scene, rng: random.Random) -> str:
    """Return a caption that lists all objects by colour and shape."""
    return f"A picture of {_grouped(scene, ('color', 'shape'), rng)}."


def _placed(scene: Scene, rng: random.Random) -> str:
    """Return a left-right relation of two objects; if none is unambiguous, name one object."""
    objects = scene["objects"]
    pairs = [
        (a, b) for a in objects for b in objects if a["bbox"][0] + a["bbox"][2] <= b["bbox"][0]
    ]
    if not pairs:
        return f"In this picture there is a {_named(rng.choice(objects))}."
    left, right = (_named(obj) for obj in rng.choice(pairs))
    if rng.random() < 0.5:
        return f"A {left} stands to the left of a {right}."
    return f"A {right} stands to the right of a {left}."


def _made(scene: Scene, rng: random.Random) -> str:
    """Return a caption that lists all objects by size and material."""
    lead = rng.choice(("We can see", "The photo shows", "Here we look at"))
    return f"{lead} {_grouped(scene, ('size', 'material'), rng)}, lit from above."


def _named(obj: dict[str, Any]) -> str:
    return phrase({a: obj[a] for a in ATTRIBUTES if a != "material"})
