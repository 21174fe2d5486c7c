"""Render one shard of MOCHI: three or four views, one of which shows a different sculpture.

Writes ``shards/pictures/<split>_<n>_<k>.png`` (and, if asked, ``truth/<split>/<n>_<k>_mask.png``
and ``…_depth.png``) under the root, then the shard's manifest. Every trial has its own seed,
derived from seed, dataset, split and index.

    python -m eyechart.rendering.datasets.mochi.draw --dataset mochi --split train --shard 0 \
        --settings JSON
        --seed 7 --root data/raw/mochi --output data/raw/mochi/shards/train-000.json
"""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from eyechart.core import errors, randomness
from eyechart.core.files import write_json
from eyechart.core.step import command
from eyechart.rendering import steps as rendering_steps
from eyechart.rendering.balance import case_of
from eyechart.rendering.datasets.mochi.sculptures import (
    CONDITIONS,
    Sites,
    build,
    draw_odd,
    draw_sites,
    draw_surfaces,
)
from eyechart.rendering.item_files import save_item
from eyechart.rendering.mesh_renderer import MeshRenderer, ViewGeometry
from eyechart.rendering.points import NoSpotError
from eyechart.rendering.scene.cameras import jittered_camera, orbit
from eyechart.rendering.scene.framing import framed_camera
from eyechart.rendering.scene.lighting import lights
from eyechart.rendering.scene.objects import Scene

ATTEMPTS = 300
# Number of images, index of the odd one, condition
CASES = tuple((n, k, c) for n in (3, 4) for k in range(n) for c in CONDITIONS)
TURNED = (20.0, 55.0)  # degrees between neighbouring views around the sculpture
LEAST_PX = 0.004  # minimum visible share of the image for every part


@dataclass(frozen=True)
class Trial:
    """One trial: its images, their ground truth, and the values of its row."""

    images: list[np.ndarray]
    geometries: list[ViewGeometry]
    facts: dict[str, Any]


def draw_trial(name: tuple[str | int, ...], settings: dict[str, Any]) -> Trial:
    """Draw and render one trial.

    Parameters
    ----------
    name : (seed, dataset, split, index)
        The only source of randomness. Numbers of images, odd places and conditions are spread
        evenly.

    Raises
    ------
    UserError
        If no attempt shows every part.
    """
    count, odd, condition = case_of(CASES, int(name[3]), "odd", *name[:3])
    for attempt in range(ATTEMPTS):
        seeds = (*name, attempt)
        rng = randomness.dice("odd one", *seeds)
        own = draw_sites(rng)
        shapes = [own] * count
        shapes[odd] = draw_odd(rng, own)
        try:
            views = _views(rng, settings, shapes, condition)
        except NoSpotError:
            continue
        images = [
            renderer.render(geometry.camera, settings["samples_per_pixel"],
                          randomness.seed_for("render", *seeds, n))
            for n, (renderer, geometry) in enumerate(views)
        ]  # fmt: skip
        facts = {
            "condition": condition,
            "oddity_index": odd,
            "sites": [{kind: list(site) for kind, site in s.items()} for s in shapes],
        }
        return Trial(images, [geometry for _, geometry in views], facts)
    raise errors.UserError(
        f"rendering: trial {'/'.join(map(str, name[1:]))} does not show all parts of its "
        f"sculptures after {ATTEMPTS} attempts; raise rendering.image_px"
    )


def _views(
    rng: random.Random, settings: dict[str, Any], shapes: list[Sites], condition: str
) -> list[tuple[MeshRenderer, ViewGeometry]]:
    """Place every sculpture on the floor, each with another rotation, and trace its view.

    Raises
    ------
    NoSpotError
        If a part is hardly visible, or a lamp is visible, in one of the views.
    """
    surfaces, half_width = draw_surfaces(rng, condition, list(shapes[0])), rng.uniform(0.26, 0.36)
    turn, views = rng.uniform(0, 360), []
    turns = [turn := turn + rng.uniform(*TURNED) for _ in shapes]
    rng.shuffle(turns)
    for sites, angle in zip(shapes, turns, strict=True):
        thing = build(sites, surfaces, half_width, round(angle % 360, 6))
        camera = orbit(jittered_camera(rng, settings), elevation=rng.uniform(-12, 8))
        camera = framed_camera(camera, [thing], 0.92, settings["image_px"])
        renderer = MeshRenderer(Scene((thing,), lights(rng, settings)), settings["image_px"])
        geometry = renderer.trace(camera)
        shown = np.bincount(geometry.part.ravel(), minlength=len(geometry.names) + 1)[1:]
        if geometry.shows_lamp or shown.min() < LEAST_PX * geometry.part.size:
            raise NoSpotError
        views.append((renderer, geometry))
    return views


@command
def main(args: rendering_steps.Drawing) -> None:
    """Render the shard; write its manifest last."""
    files, items = [], []
    for index in rendering_steps.indices(args):
        trial = draw_trial((args.seed, args.dataset, args.split, index), args.settings)
        shown = []
        for n, (image, geometry) in enumerate(zip(trial.images, trial.geometries, strict=True)):
            shown.append(f"shards/pictures/{args.split}_{index}_{n}.png")
            truth = f"truth/{args.split}/{index}_{n}" if args.settings["truth"] else ""
            files += save_item(args.root, shown[-1], truth, image, image, geometry)
        items.append({"item": index, "split": args.split, "pictures": shown, **trial.facts})
    write_json(args.output, {"files": files, "items": items})


if __name__ == "__main__":
    main()
