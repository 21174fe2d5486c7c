"""Render one shard of CV-Bench's depth questions: two things in boxes, one of which is nearer.

Writes ``shards/images/<split>_<n>.png`` with its boxes (and, if requested,
``truth/<split>/<n>_mask.png``, ``…_depth.png``, and ``…_plain.png`` without boxes) under the root,
then the shard's manifest. Every item has its own seed, derived from seed, dataset, split and index.

    python -m eyechart.rendering.datasets.cv_bench.draw --dataset cv_bench --split test --shard 0
        --settings JSON --seed 7 --root data/raw/cv_bench
        --output data/raw/cv_bench/shards/test-000.json
"""

from itertools import product
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from eyechart.core import randomness
from eyechart.core.step import command
from eyechart.rendering.attempts import case_of, first_success
from eyechart.rendering.drawing import Item, draw_items
from eyechart.rendering.renderer import render
from eyechart.rendering.scene.depth import CUES, Box, check_pair, draw_pair, scene_of
from eyechart.rendering.step_helpers import Drawing

ATTEMPTS = 200
CASES: tuple[tuple[str, tuple[bool, bool]], ...] = tuple(product("AB", CUES))
PAINTS = ((255, 0, 0), (0, 0, 255))  # box of the first and of the second choice


def draw_item(name: tuple[str | int, ...], settings: dict[str, Any]) -> Item:
    """Draw and render one item.

    Raise a UserError if no attempt satisfies the conditions.

    ``name``: (seed, dataset, split, index), the only source of randomness. Answers and both cues
    are balanced over the indices.
    """
    answer, cue = case_of(CASES, int(name[3]), "depth", *name[:3])
    order = (0, 1) if answer == "A" else (1, 0)

    def draw(attempt: int) -> Item:
        rng = randomness.dice("depth", *name, attempt)
        planned, camera = draw_pair(rng, settings, cue)
        scene = scene_of(rng, settings, planned, camera)
        boxes, depths = check_pair(render(scene, settings), cue, len(planned))
        view = render(scene, settings, randomness.seed_for("render", *name, attempt))
        shown = boxed(view.rgb, [boxes[n] for n in order])
        facts = {
            "answer": answer,
            "choices": [planned[n].name for n in order],
            "boxes": [boxes[n] for n in order],
            "depths": [depths[n] for n in order],
            "nearer_is_lower": cue[0],
            "nearer_is_larger": cue[1],
        }
        return Item([view], [str(name[3])], [shown], facts)

    failure = f"item {'/'.join(map(str, name[1:]))} has no two clearly separate things; "
    failure += "raise rendering.extent or rendering.image_px"
    return first_success(ATTEMPTS, draw, failure)


def boxed(image: np.ndarray, boxes: list[Box]) -> np.ndarray:
    """Draw the two things' boxes, the first in red and the second in blue: uint8 (h, w, 3)."""
    drawing = Image.fromarray(image)
    line_width = max(round(min(drawing.size) / 80), 1)
    for box, paint in zip(boxes, PAINTS, strict=True):
        grown = np.add(box, np.multiply((-1, -1, 1, 1), line_width)) - (0, 0, 1, 1)
        ImageDraw.Draw(drawing).rectangle(grown.tolist(), outline=paint, width=line_width)
    return np.asarray(drawing)


@command
def main(args: Drawing) -> None:
    """Render the shard; write its manifest last."""
    name = (args.seed, args.dataset, args.split)
    draw_items(args, lambda index: draw_item((*name, index), args.settings))


if __name__ == "__main__":
    main()
