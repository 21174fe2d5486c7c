"""Both encoders' features of the same images, as memory-mapped files with a unit row per image.

Memory: ``ROWS`` rows in computation, and one stored row group of one column. The operating system
can drop mapped pages when it needs memory.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from eyechart.core.errors import UserError, nearest
from eyechart.core.files import atomic, reserve
from eyechart.tables.activations import not_dropped, part_paths, read_dropped, read_manifest
from eyechart.tables.pairs import ALIGNED, NOTE
from eyechart.tables.parquet import read_batches, read_notes, read_table, write_table

ROWS = 4096  # rows processed at once
SIDES = ("first", "second")


@dataclass(frozen=True)
class Aligned:
    """Both encoders' features, (n, d₁) and (n, d₂), of the images ``ids``, and a note on them."""

    ids: pa.Array
    features: tuple[np.ndarray, np.ndarray]
    note: dict[str, Any]  # dataset, first, second (models), settings, images, copies

    @classmethod
    def read(cls, folder: Path) -> "Aligned":
        """Open the files that :func:`align` wrote to a folder."""
        images = folder / "images.parquet"
        ids = read_table(images)["image_id"].combine_chunks()
        first, second = (np.load(folder / f"{side}.npy", mmap_mode="r") for side in SIDES)
        note: dict[str, Any] = json.loads(read_notes(images)[NOTE])
        return cls(ids, (np.asarray(first), np.asarray(second)), note)


def align(manifests: tuple[Path, Path], images: Path, ask: dict[str, Any], folder: Path) -> None:
    """Write ``first.npy``, ``second.npy`` and, last, the ids of their rows to a folder.

    Images that a model's own code rejected are left out. Raise a UserError if a manifest is not of
    scope image or lacks the column, if an image is missing, if a value is not finite, or if a row
    is zero.
    """
    ids, copies = read_distinct(images)
    dropped = [image_id for path in manifests for image_id in read_dropped(path)]
    ids = ids.filter(not_dropped(ids, dropped))
    for path, side in zip(manifests, SIDES, strict=True):
        with atomic(folder / f"{side}.npy") as partial:
            features = read_features(path, ask[side], ids, partial)
            to_unit_length(features, ask["centre"], f"{path}: column {ask[side]!r}", ids)
            features.flush()
    told = [read_manifest(path) for path in manifests]
    models = {side: one["model"] for side, one in zip(SIDES, told, strict=True)}
    note = {"dataset": told[0]["dataset"], "images": len(ids), "copies": copies, **models}
    schema = ALIGNED.with_metadata({NOTE: json.dumps(note, sort_keys=True)})
    write_table(folder / "images.parquet", pa.Table.from_arrays([ids], schema=schema))


def read_distinct(images: Path) -> tuple[pa.Array, int]:
    """Load the sorted ids of distinct images, and the number of copies left out.

    Images with the same bytes (column ``sha256``) count as one, under the first id.
    """
    table = pl.DataFrame(read_table(images, ["image_id", "sha256"]))
    kept = table.group_by("sha256").agg(pl.col("image_id").min())["image_id"].sort()
    return kept.to_arrow().cast(pa.string()), len(table) - len(kept)


def read_features(manifest_path: Path, column: str, ids: pa.Array, output: Path) -> np.memmap:
    """Write one ``address/span`` of the images ``ids``, in this order; return it memory-mapped.

    Result: float32, shape (n, d).
    """
    manifest = read_manifest(manifest_path)
    widths = {entry["name"]: entry["width"] for entry in manifest["columns"]}
    if manifest["scope"] != "image":
        raise UserError(f"{manifest_path}: scope is {manifest['scope']!r}, expected 'image'")
    if column not in widths:
        raise UserError(f"{manifest_path}: no column {column!r}; {nearest(column, widths)}")
    shape = (len(ids), widths[column])
    features = np.lib.format.open_memmap(output, "w+", np.float32, shape)
    reserve(output)
    seen = np.zeros(len(ids), bool)
    for path in part_paths(manifest_path, manifest):
        found = pc.index_in(read_table(path, ["image_id"])["image_id"], ids)
        places, start = pc.fill_null(found, -1).to_numpy(), 0
        seen[places[places >= 0]] = True
        for batch in read_batches(path, [column], ROWS):
            place, start = places[start : start + len(batch)], start + len(batch)
            values = batch[column].flatten().to_numpy(zero_copy_only=False)
            features[place[place >= 0]] = values.reshape(len(place), shape[1])[place >= 0]
    if not seen.all():
        raise UserError(
            f"{manifest_path}: no row for {ids[int(np.argmin(seen))].as_py()!r} (for "
            f"{np.count_nonzero(~seen)} of {len(ids)} images); extract it again"
        )
    for start in range(0, len(ids), ROWS):
        finite = np.isfinite(features[start : start + ROWS]).all(axis=1)
        if not finite.all():
            image_id = ids[start + int(np.argmin(finite))].as_py()
            raise UserError(
                f"{manifest_path}: column {column!r}, {image_id!r}: NaN or infinity, expected "
                "finite numbers"
            )
    return features


def to_unit_length(features: np.ndarray, centre: bool, name: str, ids: pa.Array) -> None:
    """Scale rows to unit length in place, after subtracting the mean of all rows if ``centre``.

    Raise a UserError if a row is zero, since it then has no cosine with any other.
    """
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32) if centre else 0
    for start in range(0, len(features), ROWS):
        features[start : start + ROWS] -= mean
        rows = features[start : start + ROWS]
        lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
        if not lengths.all():
            image_id = ids[start + int(np.argmin(lengths))].as_py()
            after = " after centring" if centre else ""
            raise UserError(
                f"{name}: {image_id!r}: all features are zero{after}, so there is no cosine; "
                "mine another column"
            )
        rows /= lengths[:, None]
