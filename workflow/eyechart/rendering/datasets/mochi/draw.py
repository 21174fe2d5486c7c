"""Render one shard of MOCHI: three or four views, one of which shows a different sculpture.

Writes ``shards/images/<split>_<n>_<k>.png`` (and, if requested, ``truth/<split>/<n>_<k>_mask.png``
and ``…_depth.png``) under the root, then the shard's manifest. Every trial has its own seed,
derived from seed, dataset, split and index.

    python -m eyechart.rendering.datasets.mochi.draw --dataset mochi --split train --shard 0 \
        --settings JSON
        --seed 7 --root data/raw/mochi --output data/raw/mochi/shards/train-000.json
"""

import random
from typing import Any

from eyechart.core import randomness
from eyechart.core.step import command
from eyechart.rendering.attempts import NoRoomError, case_of, first_success
from eyechart.rendering.datasets.mochi.sculptures import (
    CONDITIONS,
    Sites,
    build,
    draw_odd,
    draw_sites,
    draw_surfaces,
)
from eyechart.rendering.drawing import Item, draw_items
from eyechart.rendering.renderer import render
from eyechart.rendering.scene.model import Scene
from eyechart.rendering.scene.viewing import framed_camera, jittered_camera, lights, orbit
from eyechart.rendering.step_helpers import Drawing

ATTEMPTS = 300
# Number of images, index of the odd one, condition
CASES = tuple((n, k, c) for n in (3, 4) for k in range(n) for c in CONDITIONS)
TURNED = (20.0, 55.0)  # degrees between neighbouring views around the sculpture
LEAST_PX = 0.004  # minimum visible share of the image for every part


def draw_trial(name: tuple[str | int, ...], settings: dict[str, Any]) -> Item:
    """Draw and render one trial.

    Raise a UserError if no attempt shows every part.

    ``name``: (seed, dataset, split, index), the only source of randomness. Numbers of images, odd
    positions and conditions are balanced over indices.
    """
    count, odd, condition = case_of(CASES, int(name[3]), "odd", *name[:3])

    def draw(attempt: int) -> Item:
        seeds = (*name, attempt)
        rng = randomness.dice("odd one", *seeds)
        shapes = [draw_sites(rng)] * count
        shapes[odd] = draw_odd(rng, shapes[0])
        scenes = _scenes(rng, settings, shapes, condition)
        views = [
            render(scene, settings, randomness.seed_for("render", *seeds, n))
            for n, scene in enumerate(scenes)
        ]
        facts = {
            "condition": condition,
            "oddity_index": odd,
            "sites": [{kind: list(site) for kind, site in s.items()} for s in shapes],
        }
        stems = [f"{name[3]}_{n}" for n in range(count)]
        return Item(views, stems, [view.rgb for view in views], facts)

    failure = f"trial {'/'.join(map(str, name[1:]))} does not show all parts of its sculptures; "
    return first_success(ATTEMPTS, draw, failure + "raise rendering.image_px")


def _scenes(
    rng: random.Random, settings: dict[str, Any], shapes: list[Sites], condition: str
) -> list[Scene]:
    """Place every sculpture on the floor, each with a different rotation, and check its view.

    Raise a NoRoomError if a part is hardly visible or a lamp is visible in one of the views.
    """
    surfaces, half_width = draw_surfaces(rng, condition, list(shapes[0])), rng.uniform(0.26, 0.36)
    turn, scenes = rng.uniform(0, 360), []
    turns = [turn := turn + rng.uniform(*TURNED) for _ in shapes]
    rng.shuffle(turns)
    for sites, angle in zip(shapes, turns, strict=True):
        thing = build(sites, surfaces, half_width, round(angle % 360, 6))
        camera = orbit(jittered_camera(rng, settings), elevation=rng.uniform(-12, 8))
        camera = framed_camera(camera, [thing], 0.92, settings["image_px"])
        scenes.append(Scene((thing,), lights(rng, settings), camera))
        view = render(scenes[-1], settings)
        if view.shows_lamp or view.visible_px().min() < LEAST_PX * view.part.size:
            raise NoRoomError
    return scenes


@command
def main(args: Drawing) -> None:
    """Render the shard; write its manifest last."""
    name = (args.seed, args.dataset, args.split)
    draw_items(args, lambda index: draw_trial((*name, index), args.settings))


if __name__ == "__main__":
    main()
