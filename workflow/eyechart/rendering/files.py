"""Save rendered views, and write the official files of a dataset from the shards."""

import argparse
import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from eyechart.core.errors import UserError
from eyechart.core.files import atomic, describe, read_json, write_text
from eyechart.rendering.renderer import View
from eyechart.tables.receipt import SplitCounts, write_receipt

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])  # in Hugging Face's files
DEPTH_UNIT = 1000  # depth images are in thousandths of a world unit
JPEG = {"quality": 95, "subsampling": 0}  # 4:4:4, so that small things keep their colour
SHARDS = "shards"  # files under it are copied into the official files and not kept


def save_view(
    root: Path, image: str, truth: str, view: View, shown: np.ndarray | None = None
) -> list[dict[str, Any]]:
    """Write an image and, unless ``truth`` is empty, mask and depth; return manifest entries.

    Parameters
    ----------
    image : str
        Path from the root, ending in ``.png`` or ``.jpg``.
    truth : str
        Path from the root without suffix: ``<truth>_mask.png`` holds 0 for the floor and i + 1 for
        part i of the view, ``<truth>_depth.png`` thousandths of a world unit along the camera's
        axis, 16 bit, ``<truth>_plain.png`` the view's own image if another is shown.
    shown : uint8 (h, w, 3), optional
        The image as shown, e.g. with marks; by default the view's own.
    """
    images = {image: view.rgb if shown is None else shown}
    if truth:
        images[f"{truth}_mask.png"] = view.part
        depth = np.clip(view.depth * DEPTH_UNIT + 0.5, 0, 65535).astype(np.uint16)
        images[f"{truth}_depth.png"] = depth
        if shown is not None:
            images[f"{truth}_plain.png"] = view.rgb
    return [save_array(root, path, values) for path, values in images.items()]


def save_array(root: Path, path: str, values: np.ndarray) -> dict[str, Any]:
    """Write an array atomically, as an image or ``.npy``; return its manifest entry.

    Parameters
    ----------
    path : str
        From the root: ``.png``, ``.jpg`` or ``.npy``.
    values : uint8 (h, w, 3) or (h, w), or uint16 (h, w); any array for ``.npy``
    """
    buffer = io.BytesIO()
    if path.endswith(".npy"):
        np.save(buffer, values, allow_pickle=False)
    elif path.endswith(".jpg"):
        Image.fromarray(values).save(buffer, "JPEG", **JPEG)
    else:
        Image.fromarray(values).save(buffer, "PNG")
    with atomic(root / path) as partial:
        partial.write_bytes(buffer.getvalue())
    return {**describe(root / path), "path": path}


def outline(mask: np.ndarray) -> dict[str, Any]:
    """Return bbox [x, y, w, h] and pixel count of a bool mask (h, w), not all false."""
    rows, columns = np.nonzero(mask)
    x, y = int(columns.min()), int(rows.min())
    box = [x, y, int(columns.max()) - x + 1, int(rows.max()) - y + 1]
    return {"bbox": box, "visible_px": len(rows)}


def read_shards(
    paths: Iterable[Path], root: Path, key: str, order: str
) -> tuple[list[Path], list[dict[str, Any]]]:
    """Read the shards; return the files that stay part of the dataset, and the records in order."""
    shards = [read_json(path) for path in paths]
    listed = [entry["path"] for shard in shards for entry in shard["files"]]
    records = [record for shard in shards for record in shard[key]]
    kept = [root / path for path in listed if not path.startswith(f"{SHARDS}/")]
    return kept, sorted(records, key=lambda record: record[order])


def file_bytes(root: Path, path: str) -> bytes:
    """Return the bytes of a file that a shard lists.

    Raises
    ------
    UserError
        If it is missing.
    """
    try:
        return (root / path).read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"{root / path}: no such file, but the shard lists it; delete {root / SHARDS} and "
            "render again"
        ) from None


def embedded(root: Path, path: str) -> dict[str, Any]:
    """Return a drawn image as an :data:`IMAGE`: bytes and name."""
    return {"bytes": file_bytes(root, path), "path": Path(path).name}


def only_split(args: argparse.Namespace) -> str:
    """Return the only split of a layout whose files do not name it."""
    splits = list(args.settings["splits"])
    if len(splits) != 1:
        raise UserError(
            f"datasets.{args.dataset}.splits names {', '.join(splits) or 'none'}; this layout has "
            "exactly one, e.g. {test: 36}"
        )
    return str(splits[0])


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> Path:
    """Write a CSV table with a header, atomically; return its path."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([header, *rows])
    write_text(path, buffer.getvalue())
    return path


def finish(
    args: argparse.Namespace, layout: str, splits: dict[str, tuple[int, int]], files: list[Path]
) -> None:
    """Write the receipt of a rendered dataset: per split the numbers of images and questions."""
    counts = {s: SplitCounts(images=i, questions=q) for s, (i, q) in splits.items()}
    write_receipt(
        args.root, dataset=args.dataset, layout=layout, source="render", splits=counts, files=files
    )
