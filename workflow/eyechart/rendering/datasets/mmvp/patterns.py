"""The nine patterns of MMVP as scenes: pairs of plans that differ in exactly one respect.

Everything else is the same in both images: other objects, camera, lights and noise. Source of the
patterns: Tong et al. 2024, "Eyes Wide Shut?", section 3.1. Source of their types: the folders of
the dataset as hosted by its authors (MMVP/MMVP_VLM, ``MLLM_VLM Images``).
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from eyechart.rendering.scene.clevr import Plan, half_width
from eyechart.rendering.scene.placement import Object, SceneStage, attributes, floor_radius
from eyechart.rendering.scene.vocabulary import COLORS, SHAPES

# MMVP-VLM's ``Type`` of each pattern, which is also the folder of its images
TYPES = {
    "orientation": "Orientation",
    "presence": "Presence",
    "state": "State",
    "quantity": "Quantity",
    "position": "Spatial",
    "color": "Color",
    "structure": "Structural Character",
    "text": "Text",
    "viewpoint": "Camera Perspective",
}
LETTERS = "AEHKLOSTXZ"  # distinguishable at a few pixels
ABOVE, LEVEL = 75.0, 10.0  # camera elevation in degrees
TURN = 20.0  # maximum rotation of a thing away from the viewer, in degrees


@dataclass(frozen=True)
class PatternPair:
    """Two plans, the kind of question about both, the two answers, and the objects concerned."""

    kind: str  # key of the question's wording; see :mod:`eyechart.rendering.datasets.mmvp.wordings`
    plans: tuple[Plan, Plan]
    answers: tuple[str, str]  # the answer for each image
    thing: Object  # the object that the question is about
    partner: Object = field(default_factory=dict)  # a second object in the question, if any
    others: list[Object] = field(default_factory=list)  # further objects in both images


def _color_pair(rng: random.Random) -> tuple[str, str]:
    """Draw two clearly different colours (channel differences sum to at least 200)."""
    plain = [
        (a, b)
        for a in COLORS
        for b in COLORS
        if sum(abs(x - y) for x, y in zip(COLORS[a], COLORS[b], strict=True)) >= 200
    ]
    return rng.choice(plain)


def _prop(rng: random.Random, shape: str, form: str) -> Object:
    color, accent = _color_pair(rng)
    traits = {"size": "large", "color": color, "accent": accent, "material": "rubber"}
    return {**traits, "shape": shape, "form": form}


def _two_of(
    stage: SceneStage, kind: str, first: Object, second: Object, answers: tuple[str, str]
) -> PatternPair:
    """Pair two versions of one thing at the same position, with the same other objects."""
    others = stage.others([first, second])
    plans = stage.plan([first, *others]), stage.plan([second, *others])
    return PatternPair(kind, plans, answers, first, others=others)


def _forms(
    rng: random.Random, stage: SceneStage, kind: str, shape: str, forms: tuple[str, str]
) -> PatternPair:
    turn = rng.uniform(-TURN, TURN)
    first = stage.place_randomly(_prop(rng, shape, forms[0]), share=0.3, turn=turn)
    return _two_of(stage, kind, first, {**first, "form": forms[1]}, forms)


def orientation(rng: random.Random, stage: SceneStage) -> PatternPair:
    """Reverse an arrow: it points right or left."""
    turn = rng.uniform(-TURN, TURN)
    arrow = stage.place_randomly(_prop(rng, "arrow", "straight"), share=0.3, turn=turn)
    turned = {**arrow, "rotation": round((arrow["rotation"] + 180) % 360, 6)}
    return _two_of(stage, "arrow", arrow, turned, ("right", "left"))


def presence(rng: random.Random, stage: SceneStage) -> PatternPair:
    """Remove a thing."""
    thing = stage.place_randomly(attributes(rng), share=0.8)
    others = stage.others([thing], least=1)
    plans = stage.plan([*others, thing]), stage.plan(others)
    return PatternPair("any", plans, ("yes", "no"), thing, others=others)


def state(rng: random.Random, stage: SceneStage) -> PatternPair:
    """Lay a standing cylinder down, or close an open box."""
    if rng.random() < 0.5:
        return _forms(rng, stage, "cylinder", "cylinder", ("standing", "lying"))
    return _forms(rng, stage, "box", "box", ("open", "closed"))


def quantity(rng: random.Random, stage: SceneStage) -> PatternPair:
    """Remove one of two or three things of the same shape."""
    count, shape = rng.randint(2, 3), rng.choice(SHAPES)
    things: list[Object] = []
    for color in rng.sample(list(COLORS), count):
        things.append(stage.place_free(attributes(rng, shape=shape, color=color), things))
    others = stage.others(things, own=count)
    plans = stage.plan([*others, *things]), stage.plan([*others, *things[:-1]])
    return PatternPair("count", plans, (str(count), str(count - 1)), things[-1], others=others)


def position(rng: random.Random, stage: SceneStage) -> PatternPair:
    """Swap the positions of two things of the same size."""
    size = rng.choice(("small", "large"))
    traits = zip(rng.sample(SHAPES, 2), rng.sample(list(COLORS), 2), strict=True)
    one, two = (attributes(rng, size=size, shape=shape, color=color) for shape, color in traits)
    extent = stage.settings["extent"]
    aside = max(rng.uniform(0.5, 0.8) * extent, floor_radius(one) + stage.settings["gap"])
    behind = [rng.uniform(-0.3, 0.3) * extent for _ in range(2)]
    left, right = (-aside, behind[0]), (aside, behind[1])
    turns = [rng.uniform(0, 360) for _ in range(2)]
    first = [stage.place_at(one, *left, turns[0]), stage.place_at(two, *right, turns[1])]
    second = [stage.place_at(one, *right, turns[0]), stage.place_at(two, *left, turns[1])]
    others = stage.others([*first, *second], own=2)
    plans = stage.plan([*first, *others]), stage.plan([*second, *others])
    return PatternPair("places", plans, ("left", "right"), first[0], first[1], others)


def color(rng: random.Random, stage: SceneStage) -> PatternPair:
    """Paint a thing in another colour."""
    first, second = _color_pair(rng)
    thing = stage.place_randomly(attributes(rng, color=first), share=0.8)
    return _two_of(stage, "paint", thing, {**thing, "color": second}, (first, second))


def structure(rng: random.Random, stage: SceneStage) -> PatternPair:
    """Change the roof of a house, or move a sphere from the top of a cube to its side."""
    if rng.random() < 0.5:
        return _forms(rng, stage, "roof", "house", ("pointed", "flat"))
    colors = _color_pair(rng)
    cube = stage.place_at(attributes(rng, size="large", shape="cube", color=colors[0]), 0, 0)
    sphere = attributes(rng, size="small", shape="sphere", color=colors[1])
    side = rng.choice((-1, 1)) * (floor_radius(cube) + floor_radius(sphere) + stage.settings["gap"])
    beside = stage.place_at(sphere, side, -half_width(cube))
    height = round(2 * half_width(cube) + half_width(sphere), 6)
    above = {**beside, "3d_coords": [*cube["3d_coords"][:2], height]}
    others = stage.others([cube, beside], own=2)
    plans = stage.plan([cube, above, *others]), stage.plan([cube, beside, *others])
    return PatternPair("stack", plans, ("on top", "beside"), above, cube, others)


def text(rng: random.Random, stage: SceneStage) -> PatternPair:
    """Write a different letter on a sign."""
    letters = rng.sample(LETTERS, 2)
    sign = {**_prop(rng, "sign", "panel"), "text": letters[0]}
    sign = stage.place_randomly(sign, share=0.2, turn=rng.uniform(-TURN, TURN) / 2)
    return _two_of(stage, "sign", sign, {**sign, "text": letters[1]}, (letters[0], letters[1]))


def viewpoint(rng: random.Random, stage: SceneStage) -> PatternPair:
    """View one scene from above and from the side, at the same distance."""
    first = stage.place_randomly(attributes(rng), share=0.5)
    others = stage.others([first], least=1)
    views = [{**stage.camera, "position": _raised(stage, angle)} for angle in (ABOVE, LEVEL)]
    plans = stage.plan([first, *others], views[0]), stage.plan([first, *others], views[1])
    return PatternPair("view", plans, ("above", "side"), first, others=others)


def _raised(stage: SceneStage, degrees: float) -> list[float]:
    """Return the camera position at another elevation, with the same distance and azimuth."""
    target, angle = stage.camera["target"], math.radians(degrees)
    far = math.dist(stage.camera["position"], target)
    level = far * math.cos(angle)
    return [
        round(target[0] - level * stage.behind[0], 6),
        round(target[1] - level * stage.behind[1], 6),
        round(target[2] + far * math.sin(angle), 6),
    ]


# In the order of the paper and the official script, which has 15 pairs per pattern
PATTERNS: dict[str, Callable[[random.Random, SceneStage], PatternPair]] = {
    "orientation": orientation,
    "presence": presence,
    "state": state,
    "quantity": quantity,
    "position": position,
    "color": color,
    "structure": structure,
    "text": text,
    "viewpoint": viewpoint,
}


def numbers(pair: int) -> tuple[int, int]:
    """Return the official numbers of a pair's images: 1 and 2 for pair 0, 3 and 4 for pair 1."""
    return 2 * pair + 1, 2 * pair + 2


def pattern_of(pair: int, pairs: int) -> str:
    """Return the pattern of a pair; patterns form nine consecutive blocks of similar size."""
    return list(PATTERNS)[pair * len(PATTERNS) // pairs]


def draw_pair(rng: random.Random, pattern: str, settings: dict[str, Any]) -> PatternPair:
    """Draw one pair of a pattern, in random order.

    Raise a NoRoomError if the things do not fit; another draw may succeed.
    """
    pair = PATTERNS[pattern](rng, SceneStage(rng, settings))
    if rng.random() < 0.5:
        return pair
    return replace(pair, plans=pair.plans[::-1], answers=pair.answers[::-1])
