"""Render one shard of CV-Bench's depth questions: two things in boxes, one of which is nearer.

Writes ``shards/pictures/<split>_<n>.png`` with its boxes (and, if asked,
``truth/<split>/<n>_mask.png``, ``…_depth.png``, and ``…_plain.png`` without boxes) under the root,
then the shard's manifest.
Every item has its own seed, derived from seed, dataset, split and index.

    python -m eyechart.rendering.datasets.cv_bench.draw --dataset cv_bench --split test --shard 0
        --settings JSON --seed 7 --root data/raw/cv_bench
        --output data/raw/cv_bench/shards/test-000.json
"""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from eyechart.core import errors, randomness
from eyechart.core.files import write_json
from eyechart.core.step import command
from eyechart.rendering import steps as rendering_steps
from eyechart.rendering.balance import case_of
from eyechart.rendering.item_files import save_item
from eyechart.rendering.mesh_renderer import MeshRenderer, ViewGeometry
from eyechart.rendering.points import NoSpotError
from eyechart.rendering.scene.depth import CUES, Box, check_pair, draw_pair, scene_of

ATTEMPTS = 200
CASES: tuple[tuple[str, tuple[bool, bool]], ...] = tuple(product("AB", CUES))
PAINTS = ((255, 0, 0), (0, 0, 255))  # box of the first and of the second choice


@dataclass(frozen=True)
class DepthItem:
    """One item: the image without boxes, its ground truth, and the values of its row."""

    rgb: np.ndarray
    geometry: ViewGeometry
    facts: dict[str, Any]


def draw_item(name: tuple[str | int, ...], settings: dict[str, Any]) -> DepthItem:
    """Draw and render one item.

    Parameters
    ----------
    name : (seed, dataset, split, index)
        The only source of randomness. Answers and both cues are balanced over the indices.

    Raises
    ------
    UserError
        If no attempt satisfies the conditions.
    """
    answer, cue = case_of(CASES, int(name[3]), "depth", *name[:3])
    for attempt in range(ATTEMPTS):
        rng = randomness.dice("depth", *name, attempt)
        try:
            planned, camera = draw_pair(rng, settings, cue)
            renderer = MeshRenderer(scene_of(rng, settings, planned, camera), settings["image_px"])
            geometry = renderer.trace(camera)
            boxes, depths = check_pair(geometry, cue, len(planned))
        except NoSpotError:
            continue
        seed = randomness.seed_for("render", *name, attempt)
        rgb = renderer.render(camera, settings["samples_per_pixel"], seed)
        order = (0, 1) if answer == "A" else (1, 0)
        facts = {
            "answer": answer,
            "choices": [planned[n].name for n in order],
            "boxes": [boxes[n] for n in order],
            "depths": [depths[n] for n in order],
            "nearer_is_lower": cue[0],
            "nearer_is_larger": cue[1],
        }
        return DepthItem(rgb, geometry, facts)
    raise errors.UserError(
        f"rendering: item {'/'.join(map(str, name[1:]))} has no two clearly separate things "
        f"after {ATTEMPTS} attempts; raise rendering.extent or rendering.image_px"
    )


def boxed(image: np.ndarray, boxes: list[Box]) -> np.ndarray:
    """Draw the boxes around the two things: first red, second blue; uint8 (h, w, 3)."""
    drawing = Image.fromarray(image)
    line_width = max(round(min(drawing.size) / 80), 1)
    for box, paint in zip(boxes, PAINTS, strict=True):
        outer = [
            box[0] - line_width,
            box[1] - line_width,
            box[2] - 1 + line_width,
            box[3] - 1 + line_width,
        ]
        ImageDraw.Draw(drawing).rectangle(outer, outline=paint, width=line_width)
    return np.asarray(drawing)


@command
def main(args: rendering_steps.Drawing) -> None:
    """Render the shard; write its manifest last."""
    files, items = [], []
    for index in rendering_steps.indices(args):
        item = draw_item((args.seed, args.dataset, args.split, index), args.settings)
        image = f"shards/pictures/{args.split}_{index}.png"
        truth = f"truth/{args.split}/{index}" if args.settings["truth"] else ""
        shown = boxed(item.rgb, item.facts["boxes"])
        files += save_item(args.root, image, truth, shown, item.rgb, item.geometry)
        items.append({"item": index, "split": args.split, "pictures": [image], **item.facts})
    write_json(args.output, {"files": files, "items": items})


if __name__ == "__main__":
    main()
