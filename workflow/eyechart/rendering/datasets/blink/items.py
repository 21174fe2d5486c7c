"""Draw items of BLINK's four sub-tasks with their ground truth.

An item consists of images as in BLINK, the points marked in them, the correct letter, and the
parameters used to draw it.
"""

import contextlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from eyechart.core import randomness
from eyechart.rendering.attempts import LETTERS, NoRoomError, case_of, first_success
from eyechart.rendering.datasets.blink.marks import mark
from eyechart.rendering.datasets.blink.matching import draw_things, shared_points
from eyechart.rendering.datasets.blink.styles import (
    DIFFERENCES,
    DrawingStyle,
    draw_contents,
    draw_other,
    draw_style,
)
from eyechart.rendering.datasets.blink.things import SPECIES, TOOLS, draw_thing
from eyechart.rendering.drawing import Item
from eyechart.rendering.points import Spot, part_spots, some_apart, within
from eyechart.rendering.renderer import View, render
from eyechart.rendering.scene.model import Scene, Thing, part_of
from eyechart.rendering.scene.viewing import facing, framed_camera, jittered_camera, lights, orbit

ATTEMPTS = 300
CHOICES = 4  # attempts at drawing the other points for one part
Name = tuple[str | int, ...]  # seeds of an item: seed, dataset, split, sub-task, number
Settings = dict[str, Any]
Points = dict[str, Spot]  # mark name -> x and y in pixels
Drawn = tuple[list[View], list[Points], dict[str, Any]]  # views, points of each, parameters


@dataclass(frozen=True)
class Attempt:
    """One attempt at an item: random generator, settings, correct letter, number and name."""

    rng: random.Random
    settings: Settings
    answer: str
    number: int
    name: Name

    def image(self, scene: Scene, view: int) -> View:
        """Render the image of a scene. Raise a NoRoomError if a lamp is visible in it."""
        if render(scene, self.settings).shows_lamp:
            raise NoRoomError
        return render(scene, self.settings, randomness.seed_for("render", *self.name, view))

    def position_cue_fits(self, ref: Spot, spots: list[Spot]) -> bool:
        """Return whether the position of the first (correct) point is as informative as required.

        The correct point is the closest to REF in every fourth item, as often as by chance, so
        answers from position in the image alone are at chance.
        """
        due = case_of((True, False, False, False), self.number, "place", *self.name[:4])
        away = [math.dist(ref, spot) for spot in spots]
        return (away[0] == min(away)) == due

    def assign_letters(self, right: Any, wrong: list[Any]) -> dict[str, Any]:
        """Assign the correct letter to ``right`` and the other letters to ``wrong``, in order."""
        letters = LETTERS[: len(wrong) + 1].replace(self.answer, "")
        named = dict(zip(letters, wrong, strict=True)) | {self.answer: right}
        return {letter: named[letter] for letter in sorted(named)}


def _portrait(attempt: Attempt, thing: Thing, roll: float) -> Scene:
    """Place a thing on the floor with a random rotation, and aim the camera at it."""
    rng, settings = attempt.rng, attempt.settings
    placed = replace(thing, turn=round(rng.uniform(0, 360), 6))
    camera = orbit(
        jittered_camera(rng, settings), elevation=rng.uniform(-15, 8), roll=rng.uniform(-roll, roll)
    )
    lit, share = lights(rng, settings), rng.uniform(0.78, 0.92)
    return Scene((placed,), lit, framed_camera(camera, [placed], share, settings["image_px"]))


def _by_part(attempt: Attempt, things: tuple[Thing, Thing], allowed: set[str] | None) -> Drawn:
    """Mark a part of one thing, and four parts of the other, one of which corresponds to it."""
    settings = attempt.settings
    # the second image is rolled, so that position in the image is less informative
    scenes = [_portrait(attempt, thing, roll) for thing, roll in zip(things, (10, 50), strict=True)]
    first, second = (part_spots(render(scene, settings)) for scene in scenes)
    shared = [p for p in first if p in second and (not allowed or p in allowed)]
    shared = [p for p in shared if within(first[p], settings["image_px"])]
    part, others = _draw_parts(attempt, first, second, shared)
    parts = attempt.assign_letters(part, others)
    return (
        [attempt.image(scene, n) for n, scene in enumerate(scenes)],
        [{"REF": first[part]}, {letter: second[p] for letter, p in parts.items()}],
        {"kinds": [thing.name for thing in things], "part": part, "parts": parts},
    )


def _draw_parts(
    attempt: Attempt, first: Points, second: Points, shared: list[str]
) -> tuple[str, list[str]]:
    """Draw the queried part and three others with the required position cue.

    Raise a NoRoomError if there is no such choice.
    """
    attempt.rng.shuffle(shared)
    for part in shared * CHOICES:
        with contextlib.suppress(NoRoomError):
            image_px = attempt.settings["image_px"]
            chosen = some_apart(attempt.rng, second, part, len(LETTERS), image_px)
            if attempt.position_cue_fits(first[part], [second[name] for name in chosen]):
                return part, chosen[1:]
    raise NoRoomError


def semantic(attempt: Attempt) -> Drawn:
    """Draw two objects of one kind and ask which point is on the same part as REF."""
    kind = attempt.rng.choice(list(SPECIES))
    pair = draw_thing(attempt.rng, kind), draw_thing(attempt.rng, kind)
    return _by_part(attempt, pair, None)


def functional(attempt: Attempt) -> Drawn:
    """Draw tools of two kinds; the question is which point has REF's function."""
    one, other = (draw_thing(attempt.rng, k) for k in attempt.rng.sample(list(TOOLS), 2))
    shared = {part_of(s) for s in one.solids} & {part_of(s) for s in other.solids}
    return _by_part(attempt, (one, other), shared)


def visual(attempt: Attempt) -> Drawn:
    """Draw a scene from two sides in different light; the question is which point matches REF."""
    rng, settings = attempt.rng, attempt.settings
    things, image_px = draw_things(rng), settings["image_px"]
    relit = case_of((False, True), attempt.number, "light", *attempt.name[:4])
    base = orbit(jittered_camera(rng, settings), azimuth=rng.uniform(-180, 180))
    aside = rng.choice((-1, 1)) * rng.uniform(15, 40)
    beside = orbit(base, aside, rng.uniform(-10, 15), rng.uniform(-60, 60))
    shares = [rng.uniform(0.85, 1.0) for _ in range(2)]
    cameras = [
        framed_camera(camera, things, share, image_px)
        for camera, share in zip((base, beside), shares, strict=True)
    ]
    shining = lights(rng, settings, facing(base))
    warm = rng.choice(((1.25, 1.0, 0.65), (0.7, 0.95, 1.35)))
    # from the far side, where no lamp is between the scene and a camera
    turn = facing(base) + rng.uniform(130, 230)
    other = lights(rng, settings, turn, warm) if relit else shining
    first = attempt.image(Scene(things, shining, cameras[0]), 0)
    found = shared_points(first, render(Scene(things, shining, cameras[1]), settings), len(LETTERS))
    rng.shuffle(found)
    orders = (found[n:] + found[:n] for n in range(len(found)))
    fitting = [o for o in orders if attempt.position_cue_fits(o[0][1], [spot for _, _, spot in o])]
    if not fitting:
        raise NoRoomError
    found = fitting[0]
    points = attempt.assign_letters(found[0], found[1:])
    facts = {
        "change": "view and light" if relit else "view",
        "world": {letter: at.tolist() for letter, (at, _, _) in points.items()},
    }
    views = [first, attempt.image(Scene(things, other, cameras[1]), 1)]
    marks = [{"REF": found[0][1]}, {letter: spot for letter, (_, _, spot) in points.items()}]
    return views, marks, facts


def style(attempt: Attempt) -> Drawn:
    """Draw an image, one in the same style and one in another; ask which matches the first."""
    rng = attempt.rng
    difference = case_of(DIFFERENCES, attempt.number, "style", *attempt.name[:4])
    own = draw_style(rng)
    other = draw_other(rng, own, difference)
    styles: dict[str, DrawingStyle] = attempt.assign_letters(own, [other])
    views = [_styled_view(attempt, s, n) for n, s in enumerate((own, *styles.values()))]
    shown = {"REF": own, **styles}
    facts = {"difference": difference, "styles": {k: s.facts() for k, s in shown.items()}}
    return views, [{}, {}, {}], facts


def _styled_view(attempt: Attempt, style: DrawingStyle, view: int) -> View:
    rng, settings = attempt.rng, attempt.settings
    things = draw_contents(rng, style)
    camera = orbit(jittered_camera(rng, settings), elevation=rng.uniform(-10, 10))
    camera = framed_camera(camera, things, rng.uniform(0.95, 1.1), settings["image_px"])
    shining = lights(rng, settings, tint=style.tint)
    return attempt.image(Scene(things, shining, camera, floor=style.floor()), view)


SUB_TASKS: dict[str, Callable[[Attempt], Drawn]] = {
    "Semantic_Correspondence": semantic,
    "Functional_Correspondence": functional,
    "Visual_Correspondence": visual,
    "Art_Style": style,
}


def draw_item(name: Name, settings: Settings) -> Item:
    """Draw one item; its facts contain the marks and parameters.

    Raise a UserError if no attempt has room for its marks.

    ``name``: (seed, dataset, split, sub-task, number), the only source of randomness; the correct
    letter is balanced over numbers.
    """
    split, task, number = str(name[2]), str(name[3]), int(name[4])
    letters = "AB" if task == "Art_Style" else LETTERS
    answer = case_of(letters, number, "letters", *name[:4])

    def draw(attempt: int) -> Drawn:
        seeds = (*name, attempt)
        rng = randomness.dice("blink", *seeds)
        return SUB_TASKS[task](Attempt(rng, settings, answer, number, seeds))

    failure = f"item {'/'.join(map(str, name[1:]))} has no room for its marks; "
    views, points, facts = first_success(ATTEMPTS, draw, failure + "raise rendering.image_px")
    stem = f"{task}_{number + 1}"
    return Item(
        views,
        [f"{stem}_{n}" for n in range(1, len(views) + 1)],
        [mark(v.rgb, at) if at else v.rgb for v, at in zip(views, points, strict=True)],
        {
            "idx": f"{split}_{stem}",
            "sub_task": task,
            "answer": answer,
            "points": [{n: list(spot) for n, spot in at.items()} for at in points],
            "facts": facts,
        },
    )
