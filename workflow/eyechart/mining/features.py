"""One encoder's features of a dataset's images: a row of length 1 per image."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from eyechart.core.errors import UserError, nearest
from eyechart.tables.activations import part_paths, read_manifest
from eyechart.tables.parquet import read_table

ROWS = 4096  # rows processed at once


def read_distinct(images: Path) -> tuple[pa.Array, int]:
    """Load the ids of distinct images, in order, and the number of copies left out.

    Images with the same bytes (column ``sha256``) count as one, under the first id.
    """
    table = pl.DataFrame(read_table(images, ["image_id", "sha256"]))
    kept = table.group_by("sha256").agg(pl.col("image_id").min())["image_id"].sort()
    return kept.to_arrow().cast(pa.string()), len(table) - len(kept)


def read_features(manifest_path: Path, column: str, ids: pa.Array) -> np.ndarray:
    """Load one ``address/span`` of the images ``ids``, in their order.

    In addition to the result, the column of one part is in memory. Raise a UserError if the
    manifest is not of scope image or has no such column, an image is missing, or a value is not
    finite. Result: float32, shape (n, d).
    """
    manifest = read_manifest(manifest_path)
    widths = {entry["name"]: entry["width"] for entry in manifest["columns"]}
    if manifest["scope"] != "image":
        raise UserError(f"{manifest_path}: scope is {manifest['scope']!r}, expected 'image'")
    if column not in widths:
        raise UserError(f"{manifest_path}: no column {column!r}; {nearest(column, widths)}")
    features = np.empty((len(ids), widths[column]), np.float32)
    seen = np.zeros(len(ids), bool)
    for path in part_paths(manifest_path, manifest):
        _read_part(path, column, ids, features, seen)
    if not seen.all():
        raise UserError(
            f"{manifest_path}: no row of {ids[int(np.argmin(seen))].as_py()!r} (of "
            f"{np.count_nonzero(~seen)} of {len(ids)} images); extract it again"
        )
    _check_finite(manifest_path, column, features, ids)
    return features


def to_unit_length(features: np.ndarray, centre: bool, name: str, ids: pa.Array) -> None:
    """Scale every row to length 1, in place, after subtracting the mean of all rows if ``centre``.

    Raise a UserError if a row is zero, and so has no cosine with any other.
    """
    if centre:
        features -= features.mean(axis=0, dtype=np.float64).astype(np.float32)
    for start in range(0, len(features), ROWS):
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


def _read_part(
    path: Path, column: str, ids: pa.Array, features: np.ndarray, seen: np.ndarray
) -> None:
    """Copy the rows of one part to the positions of their ids, and mark them as seen."""
    for batch in read_table(path, ["image_id", column]).to_batches(max_chunksize=ROWS):
        place = pc.fill_null(pc.index_in(batch["image_id"], ids), -1).to_numpy()
        values = batch[column].flatten().to_numpy(zero_copy_only=False)
        values = values.reshape(len(place), features.shape[1])
        features[place[place >= 0]] = values[place >= 0]
        seen[place[place >= 0]] = True


def _check_finite(path: Path, column: str, features: np.ndarray, ids: pa.Array) -> None:
    for start in range(0, len(features), ROWS):
        finite = np.isfinite(features[start : start + ROWS]).all(axis=1)
        if not finite.all():
            image_id = ids[start + int(np.argmin(finite))].as_py()
            raise UserError(
                f"{path}: column {column!r}, {image_id!r}: NaN or infinity, expected finite numbers"
            )
