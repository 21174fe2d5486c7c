"""Render one shard of scenes: images, ground truth, and the scene descriptions.

Writes ``images/<split>/CLEVR_<split>_000000.png`` (and, if asked, ``truth/<split>/…_mask.png`` with
0 for the floor and i + 1 for object i, and ``…_depth.png``, 16 bit, in thousandths of a world unit)
under the root, then the shard's manifest. Every scene has its own seed, derived from seed, dataset,
split and index, so the bytes do not depend on shards or cores.

    python -m eyechart.rendering.datasets.clevr.draw --dataset clevr --split val --shard 0 \
        --settings JSON
        --seed 7 --root data/raw/clevr --output data/raw/clevr/shards/val-000.json
"""

from typing import Any

import numpy as np

from eyechart.core import errors, randomness
from eyechart.core.files import write_json
from eyechart.core.step import command
from eyechart.rendering import steps as rendering_steps
from eyechart.rendering.renderer import SceneView, project, render
from eyechart.rendering.scene.clevr import Plan, draw_plan
from eyechart.rendering.view_files import outline, save_view

ATTEMPTS = 50


def draw_scene(
    name: tuple[str, str, int], settings: dict[str, Any], seed: int
) -> tuple[Plan, SceneView]:
    """Render one scene in which every object shows at least ``min_visible_px`` pixels.

    Parameters
    ----------
    name : (dataset, split, index)
        Together with ``seed`` the only source of chance.
    """
    for attempt in range(ATTEMPTS):
        plan = draw_plan(randomness.generator("scene", seed, *name, attempt), settings)
        view = render(plan, settings, randomness.seed_for("render", seed, *name, attempt))
        visible = np.bincount(view.mask.ravel(), minlength=len(plan["objects"]) + 1)[1:]
        if visible.min() >= settings["min_visible_px"]:
            return _with_truth(plan, view, settings["image_px"]), view
    raise errors.UserError(
        f"rendering: scene {'/'.join(map(str, name))} has no view with "
        f"{settings['min_visible_px']} visible pixels per object after {ATTEMPTS} attempts; "
        "lower rendering.min_visible_px or rendering.objects, or raise rendering.image_px"
    )


def _with_truth(plan: Plan, view: SceneView, image_px: list[int]) -> Plan:
    """Add each object's position in the image: pixel_coords, bbox [x, y, w, h], pixels."""
    for i, obj in enumerate(plan["objects"]):
        across, down, depth = project(plan, obj["3d_coords"], image_px)
        obj["pixel_coords"] = [round(across), round(down), round(depth, 4)]  # as in CLEVR
        obj.update(outline(view.mask == i + 1))
    return plan


@command
def main(args: rendering_steps.Drawing) -> None:
    """Render the shard; write its manifest last."""
    settings, split = args.settings, args.split
    files, scenes = [], []
    for index in rendering_steps.indices(args):
        plan, view = draw_scene((args.dataset, split, index), settings, args.seed)
        stem = f"CLEVR_{split}_{index:06d}"
        truth = f"truth/{split}/{stem}" if settings["truth"] else ""
        files += save_view(args.root, f"images/{split}/{stem}.png", truth, view)
        name = {"image_index": index, "image_filename": f"{stem}.png", "split": split}
        scenes.append({**name, **plan})
    write_json(args.output, {"files": files, "scenes": scenes})


if __name__ == "__main__":
    main()
