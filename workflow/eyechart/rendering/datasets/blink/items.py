"""Draw items of BLINK's four sub-tasks with their ground truth.

An item consists of images as BLINK shows them, the points marked in them, the correct letter, and
the parameters it was drawn from.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace

from eyechart.core import randomness
from eyechart.core.errors import UserError
from eyechart.rendering.balance import LETTERS, case_of
from eyechart.rendering.datasets.blink.attempts import Attempt, Item, Name, RenderedView, Settings
from eyechart.rendering.datasets.blink.matching import draw_things, shared_points
from eyechart.rendering.datasets.blink.species import SPECIES, draw_specimen
from eyechart.rendering.datasets.blink.tools import TOOLS, draw_tool
from eyechart.rendering.mesh_renderer import MeshRenderer, ViewGeometry
from eyechart.rendering.points import NoSpotError, Spot, part_spots, some_apart, within
from eyechart.rendering.scene.cameras import jittered_camera, orbit
from eyechart.rendering.scene.framing import framed_camera
from eyechart.rendering.scene.lighting import facing, lights
from eyechart.rendering.scene.objects import Scene, Thing, part_of
from eyechart.rendering.scene.styles import (
    DIFFERENCES,
    DrawingStyle,
    draw_contents,
    draw_other,
    draw_style,
)

ATTEMPTS = 300
CHOICES = 4  # attempts at drawing the other points for one part


def _portrait(attempt: Attempt, thing: Thing, roll: float) -> tuple[MeshRenderer, ViewGeometry]:
    """Place a thing on the floor with a random rotation, and aim the camera at it."""
    rng, settings = attempt.rng, attempt.settings
    placed = replace(thing, turn=round(rng.uniform(0, 360), 6))
    camera = orbit(
        jittered_camera(rng, settings), elevation=rng.uniform(-15, 8), roll=rng.uniform(-roll, roll)
    )
    renderer = attempt.renderer(Scene((placed,), lights(rng, settings)))
    share = rng.uniform(0.78, 0.92)
    return renderer, renderer.trace(framed_camera(camera, [placed], share, settings["image_px"]))


def _by_part(attempt: Attempt, things: tuple[Thing, Thing], allowed_parts: set[str] | None) -> Item:
    """Mark a part of one thing, and four parts of the other, one of which corresponds."""
    image_px = attempt.settings["image_px"]
    # the second image is rolled, so that position in the image is less informative
    (one, first), (other, second) = (
        _portrait(attempt, thing, roll) for thing, roll in zip(things, (10, 50), strict=True)
    )
    first_spots, second_spots = part_spots(first), part_spots(second)
    shared = [
        p for p in first_spots if p in second_spots and (not allowed_parts or p in allowed_parts)
    ]
    shared = [p for p in shared if within(first_spots[p], image_px)]
    part, others = _draw_parts(attempt, first_spots, second_spots, shared)
    parts = attempt.assign_letters(part, others)
    return Item(
        [attempt.render_view(one, first, 0), attempt.render_view(other, second, 1)],
        [{"REF": first_spots[part]}, {letter: second_spots[p] for letter, p in parts.items()}],
        attempt.answer,
        {"kinds": [thing.name for thing in things], "part": part, "parts": parts},
    )


def _draw_parts(
    attempt: Attempt, first_spots: dict[str, Spot], second_spots: dict[str, Spot], shared: list[str]
) -> tuple[str, list[str]]:
    """Draw the queried part and three others, with the position cue as required.

    Raises
    ------
    NoSpotError
        If there is no such choice.
    """
    attempt.rng.shuffle(shared)
    for part in shared * CHOICES:
        with contextlib.suppress(NoSpotError):
            image_px = attempt.settings["image_px"]
            chosen = some_apart(attempt.rng, second_spots, part, len(LETTERS), image_px)
            if attempt.position_cue_fits(
                first_spots[part], [second_spots[name] for name in chosen]
            ):
                return part, chosen[1:]
    raise NoSpotError


def semantic(attempt: Attempt) -> Item:
    """Draw two things of one kind; the question is which point is on the same part."""
    kind = attempt.rng.choice(list(SPECIES))
    pair = draw_specimen(attempt.rng, kind), draw_specimen(attempt.rng, kind)
    return _by_part(attempt, pair, None)


def functional(attempt: Attempt) -> Item:
    """Draw tools of two kinds; the question is which point has the same function."""
    one, other = (draw_tool(attempt.rng, k) for k in attempt.rng.sample(list(TOOLS), 2))
    shared = {part_of(s) for s in one.solids} & {part_of(s) for s in other.solids}
    return _by_part(attempt, (one, other), shared)


def visual(attempt: Attempt) -> Item:
    """Draw a scene from two sides under different light; the question is which point matches."""
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
    # from the far side, where no lamp is between the scene and either camera
    turn = facing(base) + rng.uniform(130, 230)
    other = lights(rng, settings, turn, warm) if relit else shining
    renderer = attempt.renderer(Scene(things, shining))
    first, second = (renderer.trace(camera) for camera in cameras)
    base_view = attempt.render_view(renderer, first, 0)
    found = shared_points(first, second, base_view.rgb, len(LETTERS))
    rng.shuffle(found)
    orders = (found[n:] + found[:n] for n in range(len(found)))
    fitting = [o for o in orders if attempt.position_cue_fits(o[0][1], [spot for _, _, spot in o])]
    if not fitting:
        raise NoSpotError
    found = fitting[0]
    points = attempt.assign_letters(found[0], found[1:])
    renderer = attempt.renderer(Scene(things, other))
    last = attempt.render_view(renderer, renderer.trace(second.camera), 1)
    return Item(
        [base_view, last],
        [{"REF": found[0][1]}, {letter: spot for letter, (_, _, spot) in points.items()}],
        attempt.answer,
        {
            "change": "view and light" if relit else "view",
            "world": {letter: at.tolist() for letter, (at, _, _) in points.items()},
        },
    )


def style(attempt: Attempt) -> Item:
    """Draw an image, one in its style and one in another; the question is which matches."""
    rng = attempt.rng
    difference = case_of(DIFFERENCES, attempt.number, "style", *attempt.name[:4])
    own = draw_style(rng)
    other = draw_other(rng, own, difference)
    styles: dict[str, DrawingStyle] = attempt.assign_letters(own, [other])
    views = [_styled_view(attempt, s, n) for n, s in enumerate((own, *styles.values()))]
    shown = {"REF": own, **styles}
    facts = {"difference": difference, "styles": {k: s.facts() for k, s in shown.items()}}
    return Item(views, [{}, {}, {}], attempt.answer, facts)


def _styled_view(attempt: Attempt, style: DrawingStyle, view: int) -> RenderedView:
    rng, settings = attempt.rng, attempt.settings
    things = draw_contents(rng, style)
    camera = orbit(jittered_camera(rng, settings), elevation=rng.uniform(-10, 10))
    camera = framed_camera(camera, things, rng.uniform(0.95, 1.1), settings["image_px"])
    shining = lights(rng, settings, tint=style.tint)
    renderer = attempt.renderer(Scene(things, shining, floor=style.floor()))
    return attempt.render_view(renderer, renderer.trace(camera), view)


SUB_TASKS: dict[str, Callable[[Attempt], Item]] = {
    "Semantic_Correspondence": semantic,
    "Functional_Correspondence": functional,
    "Visual_Correspondence": visual,
    "Art_Style": style,
}


def draw_item(name: Name, settings: Settings) -> Item:
    """Draw one item.

    Parameters
    ----------
    name : (seed, dataset, split, sub-task, number)
        The only source of randomness; the correct letter is balanced over numbers.

    Raises
    ------
    UserError
        If no attempt has room for its marks.
    """
    task, number = str(name[3]), int(name[4])
    letters = "AB" if task == "Art_Style" else LETTERS
    answer = case_of(letters, number, "letters", *name[:4])
    for attempt in range(ATTEMPTS):
        seeds = (*name, attempt)
        try:
            rng = randomness.dice("blink", *seeds)
            return SUB_TASKS[task](Attempt(rng, settings, answer, number, seeds))
        except NoSpotError:
            continue
    raise UserError(
        f"rendering: item {'/'.join(map(str, name[1:]))} has no room for its marks after "
        f"{ATTEMPTS} attempts; raise rendering.image_px"
    )
