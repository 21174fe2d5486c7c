"""Render one shard of NYUv2: scenes with ground-truth depth, to train depth heads.

The scenes are like those of CV-Bench's depth questions, without boxes. Writes
``shards/pictures/<split>_<n>.png`` and ``shards/depths/<split>_<n>.npy`` (float32 (h, w), world
units along the camera's axis, 0 where there is nothing) under the root, then the shard's manifest.
Every scene has its own seed, derived from seed, dataset, split and index.

    python -m eyechart.rendering.datasets.nyuv2.draw --dataset nyuv2 --split train --shard 0 \
        --settings JSON
        --seed 7 --root data/raw/nyuv2 --output data/raw/nyuv2/shards/train-000.json
"""

from typing import Any

import numpy as np

from eyechart.core import errors, randomness
from eyechart.core.files import atomic, describe, write_json
from eyechart.core.step import command
from eyechart.rendering import steps as rendering_steps
from eyechart.rendering.item_files import save_item
from eyechart.rendering.mesh_renderer import MeshRenderer, ViewGeometry
from eyechart.rendering.points import NoSpotError
from eyechart.rendering.scene.depth import draw_camera, draw_planned, scene_of

ATTEMPTS = 300
THINGS = (1, 4)


def draw_scene(
    name: tuple[str | int, ...], settings: dict[str, Any]
) -> tuple[np.ndarray, ViewGeometry]:
    """Draw and render one scene; return its image and ground truth.

    Parameters
    ----------
    name : (seed, dataset, split, index)
        The only source of randomness.

    Raises
    ------
    UserError
        If the things do not fit.
    """
    for attempt in range(ATTEMPTS):
        rng = randomness.dice("depth map", *name, attempt)
        try:
            planned = draw_planned(rng, settings["extent"], rng.randint(*THINGS))
        except NoSpotError:
            continue
        camera = draw_camera(rng, settings)
        renderer = MeshRenderer(scene_of(rng, settings, planned, camera), settings["image_px"])
        geometry = renderer.trace(camera)
        if geometry.shows_lamp:
            continue
        seed = randomness.seed_for("render", *name, attempt)
        return renderer.render(camera, settings["samples_per_pixel"], seed), geometry
    raise errors.UserError(
        f"rendering: scene {'/'.join(map(str, name[1:]))} has no room for its things after "
        f"{ATTEMPTS} attempts; raise rendering.extent"
    )


@command
def main(args: rendering_steps.Drawing) -> None:
    """Render the shard; write its manifest last."""
    files, scenes = [], []
    for index in rendering_steps.indices(args):
        rgb, geometry = draw_scene((args.seed, args.dataset, args.split, index), args.settings)
        stem = f"{args.split}_{index}"
        image, depth = f"shards/pictures/{stem}.png", f"shards/depths/{stem}.npy"
        truth = f"truth/{args.split}/{index}" if args.settings["truth"] else ""
        files += save_item(args.root, image, truth, rgb, rgb, geometry)
        with atomic(args.root / depth) as partial, open(partial, "wb") as file:
            np.save(file, geometry.depth, allow_pickle=False)
        files.append({**describe(args.root / depth), "path": depth})
        scenes.append({"item": index, "split": args.split, "picture": image, "depth": depth})
    write_json(args.output, {"files": files, "items": scenes})


if __name__ == "__main__":
    main()
