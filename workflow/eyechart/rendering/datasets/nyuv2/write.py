"""Convert rendered scenes to NYU Depth v2's official layout: two MATLAB files.

Reads the shards' manifests, images and depths; writes ``nyu_depth_v2_labeled.mat`` (version 7.3,
i.e. HDF5: ``images`` uint8 (n, 3, w, h), ``depths`` float32 (n, w, h)), ``splits.mat`` (version 5:
``trainNdxs`` and ``testNdxs``, counted from 1) and, last, the receipt.

    python -m eyechart.rendering.datasets.nyuv2.write --dataset nyuv2 --settings JSON --seed 7
        --shards data/raw/nyuv2/shards/train-000.json data/raw/nyuv2/shards/test-000.json
        --root data/raw/nyuv2 --output data/raw/nyuv2/acquired.json
"""

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import savemat

from eyechart.core.errors import UserError, nearest
from eyechart.core.files import atomic
from eyechart.core.step import command
from eyechart.data.open_image import opened
from eyechart.rendering.step_helpers import Writing, file_bytes, finish, read_shards

SPLITS = {"train": "trainNdxs", "test": "testNdxs"}
HEADER = 116  # bytes of free text at the start of a MATLAB file, usually with the date
USER_BLOCK = 512  # bytes before the HDF5 content in a MATLAB 7.3 file


def write_labeled(path: Path, root: Path, records: list[dict[str, Any]]) -> None:
    """Write images and depths, with axes in MATLAB's column-major order."""
    with atomic(path) as partial:
        with h5py.File(partial, "w", userblock_size=USER_BLOCK) as file:
            for n, record in enumerate(records):
                rgb, depth = _read(root, record)  # (h, w, 3), (h, w)
                if n == 0:
                    height, width = depth.shape
                    images = file.create_dataset("images", (len(records), 3, width, height), "u1")
                    depths = file.create_dataset("depths", (len(records), width, height), "f4")
                images[n], depths[n] = rgb.transpose(2, 1, 0), depth.T
        with open(partial, "r+b") as file:
            text = b"MATLAB 7.3 MAT-file, Platform: eyechart studio"
            file.write(text.ljust(HEADER) + bytes(8) + b"\x00\x02IM")


def write_splits(path: Path, numbers: dict[str, list[int]]) -> None:
    """Write the image numbers of each split as columns, counted from 1."""
    columns = {
        SPLITS[split]: np.array(numbers.get(split, []), dtype=np.float64).reshape(-1, 1)
        for split in SPLITS
    }
    buffer = io.BytesIO()
    savemat(buffer, columns)
    text = b"MATLAB 5.0 MAT-file Platform: eyechart studio".ljust(HEADER)
    with atomic(path) as partial:
        partial.write_bytes(text + buffer.getvalue()[HEADER:])  # replaces the date


def _read(root: Path, record: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    with opened(file_bytes(root, record["images"][0]), record["images"][0]) as image:
        rgb = np.array(image)
    depth = np.load(io.BytesIO(file_bytes(root, record["depths"][0])), allow_pickle=False)
    return rgb, depth


@command
def main(args: Writing) -> None:
    """Write both MATLAB files, with training images first, then the receipt."""
    for split in args.settings["splits"]:
        if split not in SPLITS:
            raise UserError(f"datasets.{args.dataset}.splits: {nearest(split, SPLITS)}")
    files, records = read_shards(args.shards, args.root, "items", order="item")
    records.sort(key=lambda record: list(SPLITS).index(record["split"]))  # stable: items in order
    numbers: dict[str, list[int]] = {split: [] for split in args.settings["splits"]}
    for n, record in enumerate(records, start=1):
        numbers[record["split"]].append(n)
    labeled, splits = args.root / "nyu_depth_v2_labeled.mat", args.root / "splits.mat"
    write_labeled(labeled, args.root, records)
    write_splits(splits, numbers)
    counts = {split: (len(n), 0) for split, n in numbers.items()}
    finish(args, "nyuv2", counts, [*files, labeled, splits])


if __name__ == "__main__":
    main()
