"""Render one shard of NYUv2: scenes with ground-truth depth, to train depth heads.

The scenes are like those of the rendered CV-Bench, without boxes. Writes
``shards/images/<split>_<n>.png`` and ``shards/depths/<split>_<n>.npy`` (float32 (h, w), world units
along the camera's axis, 0 where nothing is hit) under the root, then the shard's manifest. Every
scene has its own seed, derived from seed, dataset, split and index.

    python -m eyechart.rendering.datasets.nyuv2.draw --dataset nyuv2 --split train --shard 0 \
        --settings JSON
        --seed 7 --root data/raw/nyuv2 --output data/raw/nyuv2/shards/train-000.json
"""

from typing import Any

from eyechart.core import randomness
from eyechart.core.step import command
from eyechart.rendering.attempts import NoRoomError, first_success
from eyechart.rendering.drawing import Item, draw_items
from eyechart.rendering.renderer import render
from eyechart.rendering.scene.depth import draw_camera, draw_planned, scene_of
from eyechart.rendering.step_helpers import Drawing

ATTEMPTS = 300
THINGS = (1, 4)


def draw_scene(name: tuple[str | int, ...], settings: dict[str, Any]) -> Item:
    """Draw and render one scene.

    Raise a UserError if the things do not fit.

    ``name``: (seed, dataset, split, index), the only source of randomness.
    """

    def draw(attempt: int) -> Item:
        rng = randomness.dice("depth map", *name, attempt)
        planned = draw_planned(rng, settings["extent"], rng.randint(*THINGS))
        scene = scene_of(rng, settings, planned, draw_camera(rng, settings))
        if render(scene, settings).shows_lamp:
            raise NoRoomError
        view = render(scene, settings, randomness.seed_for("render", *name, attempt))
        return Item([view], [str(name[3])], [view.rgb], {})

    failure = f"scene {'/'.join(map(str, name[1:]))} has no room for its things; "
    return first_success(ATTEMPTS, draw, failure + "raise rendering.extent")


@command
def main(args: Drawing) -> None:
    """Render the shard; write its manifest last."""
    name = (args.seed, args.dataset, args.split)
    draw_items(args, lambda index: draw_scene((*name, index), args.settings), depths=True)


if __name__ == "__main__":
    main()
