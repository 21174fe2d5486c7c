"""Render one shard of COCO: images, and the ground-truth mask of every object.

Writes ``<split>/000000000001.jpg`` (and, if asked, ``truth/<split>/000000000001_mask.png`` and
``…_depth.png``) under the root, then the shard's manifest. Every scene has its own seed, derived
from seed, dataset, split and index, so the bytes do not depend on shards or cores.

    python -m eyechart.rendering.datasets.coco.draw --dataset coco --split val2017 --shard 0 \
        --settings JSON
        --seed 7 --root data/raw/coco --output data/raw/coco/shards/val2017-000.json
"""

from typing import Any

import numpy as np
from pycocotools import mask as rle

from eyechart.core.files import write_json
from eyechart.core.step import command
from eyechart.rendering import steps as rendering_steps
from eyechart.rendering.datasets.clevr.draw import draw_scene
from eyechart.rendering.view_files import save_view


def encode(mask: np.ndarray) -> dict[str, Any]:
    """Return the compressed run-length encoding of a bool (h, w), as in COCO's JSON."""
    found = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(side) for side in found["size"]], "counts": found["counts"].decode()}


@command
def main(args: rendering_steps.Drawing) -> None:
    """Render the shard; write its manifest last."""
    settings, split = args.settings, args.split
    files, scenes = [], []
    for index in rendering_steps.indices(args):
        plan, view = draw_scene((args.dataset, split, index), settings, args.seed)
        stem = f"{index + 1:012d}"
        truth = f"truth/{split}/{stem}" if settings["truth"] else ""
        files += save_view(args.root, f"{split}/{stem}.jpg", truth, view)
        for i, obj in enumerate(plan["objects"]):
            obj["segmentation"] = encode(view.mask == i + 1)
        height, width = view.mask.shape
        name = {"image_index": index, "image_filename": f"{stem}.jpg", "split": split}
        scenes.append({**name, "width": width, "height": height, **plan})
    write_json(args.output, {"files": files, "scenes": scenes})


if __name__ == "__main__":
    main()
