"""Create the table of NYU Depth V2's images with their depth maps, for training depth heads.

Reads: the receipt ``acquired.json`` and, next to it, ``nyu_depth_v2_labeled.mat``, ``splits.mat``.
Writes: ``images.parquet``, an empty ``items.parquet``, and ``images/`` next to them. The column
``label/depth_map`` has the path of a 16-bit PNG in thousandths of a metre, 0 where unknown.

    python -m eyechart.data.layouts.nyuv2.prepare --dataset nyuv2 \
        --receipt data/raw/nyuv2/acquired.json --seed 7 \
        --settings '{"splits": ["train", "test"], "test_share": 1, "most": 200}' \
        --items results/datasets/nyuv2/items.parquet --images results/datasets/nyuv2/images.parquet
"""

import hashlib
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from eyechart.core.files import write_bytes
from eyechart.core.step import command
from eyechart.data import preparation
from eyechart.data.canvas import items as canvas_items
from eyechart.data.canvas.tables import FOLDER, remove_stale
from eyechart.data.layouts.nyuv2 import layout
from eyechart.data.open_image import png
from eyechart.data.preparation import Row
from eyechart.tables.items import LABEL

TASK = "depth_map"
_MOST = np.iinfo(np.uint16).max


def thousandths(depth: np.ndarray) -> np.ndarray:
    """Return metres as integer thousandths, uint16; 0 for unknown depths: NaN, negative or too far.

    Both have shape (h, w).
    """
    found = np.rint(np.nan_to_num(depth.astype(np.float64), nan=0, posinf=0, neginf=0) * 1000)
    return np.where((found > 0) & (found <= _MOST), found, 0).astype(np.uint16)


def row_of(file: h5py.File, number: int, split: str, folder: Path) -> Row:
    """Write an image and its depth map; return their row, with the scene as the group."""
    loaded = layout.read_image(file, number)
    name = f"nyu_{number:04d}"
    data = png(Image.fromarray(loaded.image))
    path, depth = folder / f"{name}.png", folder / f"{name}_depth.png"
    for to, content in ((path, data), (depth, png(Image.fromarray(thousandths(loaded.depth))))):
        write_bytes(to, content)
    height, width = loaded.depth.shape
    return {
        "image_id": name,
        "split": split,
        "group_split": split,
        "group": loaded.scene or name,
        "path": path.as_posix(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "width": width,
        "height": height,
        "type": "depth",
        LABEL + TASK: depth.as_posix(),
    }


def prepare(args: preparation.Preparation, root: Path) -> list[Row]:
    """Write the requested images of every split; return their rows."""
    numbers, folder = layout.read_splits(root), args.images.parent / FOLDER
    rows = []
    with layout.opened(root) as file:
        for split in args.settings["splits"]:
            names = [str(number) for number in numbers[split]]
            seeds = (args.dataset, args.seed, split)
            for name in canvas_items.choose(names, args.settings["most"], *seeds):
                rows.append(row_of(file, int(name), split, folder))
    remove_stale(folder, {Path(row[key]).name for row in rows for key in ("path", LABEL + TASK)})
    return rows


@command
def main(args: preparation.Preparation) -> None:
    """Write images and tables."""
    _, root = preparation.open_receipt(args, layout.NAME)
    preparation.write_tables(args, [], prepare(args, root), [TASK])


if __name__ == "__main__":
    main()
