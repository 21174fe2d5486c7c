"""Render one shard of COCO: images, and the ground-truth mask of every object.

Writes ``<split>/000000000001.jpg`` (and, if requested, ``truth/<split>/000000000001_mask.png`` and
``…_depth.png``) under the root, then the shard's manifest. Every scene has its own seed, derived
from seed, dataset, split and index, so its bytes do not depend on the number of shards or cores.

    python -m eyechart.rendering.datasets.coco.draw --dataset coco --split val2017 --shard 0 \
        --settings JSON
        --seed 7 --root data/raw/coco --output data/raw/coco/shards/val2017-000.json
"""

from typing import Any

import numpy as np
from pycocotools import mask as rle

from eyechart.core.step import command
from eyechart.rendering.datasets.clevr.draw import draw_scenes
from eyechart.rendering.renderer import View
from eyechart.rendering.step_helpers import Drawing


def encode(mask: np.ndarray) -> dict[str, Any]:
    """Return the compressed run-length encoding of a bool mask (h, w), as in COCO's JSON."""
    found = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(side) for side in found["size"]], "counts": found["counts"].decode()}


def masks(view: View) -> dict[str, Any]:
    """Return every object's encoded mask, and the image's width and height."""
    found = [encode(view.part == i + 1) for i in range(len(view.names))]
    return {"segmentations": found, "width": view.image_px[0], "height": view.image_px[1]}


@command
def main(args: Drawing) -> None:
    """Render the shard; write its manifest last."""
    draw_scenes(args, "{split}/{number:012d}.jpg", masks)


if __name__ == "__main__":
    main()
