"""Render one shard of scenes: images, ground truth, and the scene descriptions.

Writes ``images/<split>/CLEVR_<split>_000000.png`` (and, if requested, ``truth/<split>/…_mask.png``
with 0 for the floor and i + 1 for object i, and ``…_depth.png``, 16 bit, in thousandths of a world
unit along the camera's axis) under the root, then the shard's manifest. Every scene has its own
seed, derived from seed, dataset, split and index, so its bytes do not depend on the number of
shards or cores.

    python -m eyechart.rendering.datasets.clevr.draw --dataset clevr --split val --shard 0 \
        --settings JSON
        --seed 7 --root data/raw/clevr --output data/raw/clevr/shards/val-000.json
"""

from collections.abc import Callable
from typing import Any

from eyechart.core import randomness
from eyechart.core.files import write_json
from eyechart.core.step import command
from eyechart.rendering.attempts import NoRoomError, first_success
from eyechart.rendering.drawing import outline, save_view
from eyechart.rendering.renderer import View, render
from eyechart.rendering.scene.clevr import Plan, draw_plan, scene_of
from eyechart.rendering.scene.viewing import project
from eyechart.rendering.shipped import restore
from eyechart.rendering.step_helpers import Drawing, indices

ATTEMPTS = 50


def draw_scene(
    name: tuple[str, str, int], settings: dict[str, Any], seed: int
) -> tuple[Plan, View]:
    """Render a scene whose objects show at least ``min_visible_px`` pixels; return plan and view.

    The plan contains each object's position in the image: pixel_coords, bbox [x, y, w, h], pixels.
    Raise a UserError if no attempt shows enough of every object.

    ``name``: (dataset, split, index); with ``seed``, the only source of randomness.
    """
    least = settings["min_visible_px"]

    def draw(attempt: int) -> tuple[Plan, View]:
        plan = draw_plan(randomness.generator("scene", seed, *name, attempt), settings)
        noise = randomness.seed_for("render", seed, *name, attempt)
        view = render(scene_of(plan), settings, noise)
        if view.visible_px().min() < least:
            raise NoRoomError
        for i, obj in enumerate(plan["objects"]):
            across, down, depth = project(view.camera, obj["3d_coords"], view.image_px).tolist()
            obj["pixel_coords"] = [round(across), round(down), round(depth, 4)]  # as in CLEVR
            obj.update(outline(view.part == i + 1))
        return plan, view

    failure = f"scene {'/'.join(map(str, name))} has no view with {least} visible pixels per "
    failure += "object; lower rendering.min_visible_px or rendering.objects, or raise "
    return first_success(ATTEMPTS, draw, failure + "rendering.image_px")


def draw_scenes(
    args: Drawing, image: str, describe: Callable[[View], Plan] = lambda view: {}
) -> None:
    """Render the scenes of one shard, unless they are shipped; write its manifest last.

    Parameters
    ----------
    image : path of an image relative to the root, with ``{split}``, ``{index}`` and ``{number}``
        (from 1)
    describe : returns additional values for a scene's record, given its view
    """
    if restore(args):
        return
    files: list[dict[str, Any]] = []
    scenes = []
    for index in indices(args):
        plan, view = draw_scene((args.dataset, args.split, index), args.settings, args.seed)
        path = image.format(split=args.split, index=index, number=index + 1)
        file = path.rsplit("/", maxsplit=1)[1]
        stem = file.rsplit(".", maxsplit=1)[0]
        truth = f"truth/{args.split}/{stem}" if args.settings["truth"] else ""
        files += save_view(args.root, path, truth, view)
        name = {"image_index": index, "image_filename": file, "split": args.split}
        scenes.append({**name, **plan, **describe(view)})
    write_json(args.output, {"files": files, "scenes": scenes})


@command
def main(args: Drawing) -> None:
    """Render the shard; write its manifest last."""
    draw_scenes(args, "images/{split}/CLEVR_{split}_{index:06d}.png")


if __name__ == "__main__":
    main()
