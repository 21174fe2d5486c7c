"""Activation parts: one row per image or item, one fixed-size-list column per address and span."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eyechart.core.address import REGION_SPANS
from eyechart.core.errors import UserError, nearest
from eyechart.core.files import read_json, sha256
from eyechart.tables.parquet import read_table

ID = {"image": "image_id", "item": "item_id"}
DROPPED = "dropped"  # metadata of parts: JSON with the ids of omitted rows and the reasons
PLACES = "places"  # suffix of a column with the positions of image tokens
TOKENS = "/image_tokens"  # suffix of a column that stores every token
PLACE = ("view", "row", "column", "left", "top", "right", "bottom")  # the values per token


def part_schema(
    scope: str, widths: Mapping[str, int], dtype: str, places: Iterable[str] = ()
) -> pa.Schema:
    """Return the schema of a part: ids, one column per address and span, positions per component.

    Parameters
    ----------
    scope : ``image`` or ``item``
    widths : the width of each column by name; ``image_tokens`` stores every token
    dtype : ``float16`` or ``float32``
    places : the components whose token positions are stored
    """
    fields = [pa.field(ID[scope], pa.string())]
    for name, width in widths.items():
        vector = pa.list_(pa.from_numpy_dtype(np.dtype(dtype)), width)
        fields.append(pa.field(name, pa.list_(vector) if name.endswith(TOKENS) else vector))
    place = pa.list_(pa.list_(pa.float32(), len(PLACE)))
    return pa.schema(fields + [pa.field(f"{name}/{PLACES}", place) for name in places])


PART = part_schema(
    "image", {"<address>/<span>": 1, "<address>/image_tokens": 1}, "float16", ["<component>"]
)
"""One row per image (scope `image`) or item (scope `item`), sorted by id. The manifest next to the
parts lists their columns, rows and hashes. Its key `dropped` lists the ids without a row, because
the model's own code could not process the image or prompt, with the reason. d is the width of the
address; values may be float32.

image_id: Id of the image; for scope `item` the column is `item_id`
<address>/<span>: One column per address and span: the pooled activation; null if an item lacks the
  region of the span
<address>/image_tokens: The activation of every image token
<component>/places: View, row, column, left, top, right, bottom of each image token; edges in pixels
  of the original image, NaN if there are none
"""


def column(values: np.ndarray, name: str = "") -> pa.Array:
    """Return the Arrow column of a float array (n, d): fixed_size_list<float>[d].

    In the column of a region span, a row of NaN becomes null.
    """
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    missing = np.isnan(values).all(axis=1) & name.endswith(REGION_SPANS)
    mask = pa.array(missing) if missing.any() else None
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1], mask=mask)


def read_column(manifest_path: Path, name: str) -> np.ndarray:
    """Load one ``address/span`` column from all parts.

    Result: float32, shape (n, d); rows in the order of :func:`read_ids`; NaN if an item has no such
    region. Raise a UserError if the manifest has no such column, a part is damaged, or a value is
    not finite.
    """
    manifest = read_manifest(manifest_path)
    known = [c["name"] for c in manifest["columns"]]
    if name not in known:
        raise UserError(f"{manifest_path}: no column {name!r}; there are: {', '.join(known)}")
    width = next(c["width"] for c in manifest["columns"] if c["name"] == name)
    chunks = []
    for path in part_paths(manifest_path, manifest):
        column = read_table(path, [name]).column(name).combine_chunks()
        there = column.is_valid().to_numpy(zero_copy_only=False)
        values = np.full((len(column), width), np.nan, np.float32)
        values[there] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
        wrong = ~np.isfinite(values).all(axis=1) & (there | (not name.endswith(REGION_SPANS)))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise UserError(
                f"{path}: column {name!r}, row {row}: NaN or infinity, expected finite numbers"
            )
        chunks.append(values)
    return np.concatenate(chunks)  # (n, d)


def read_tokens(manifest_path: Path, name: str) -> list[np.ndarray]:
    """Load one column that stores every token, such as ``vision.3/image_tokens``.

    Result: list of ndarray, float32, shape (t, d); rows in the order of :func:`read_ids`. Raise a
    UserError if the manifest has no such column, the column does not store tokens, a part is
    damaged, or a value is not finite.
    """
    manifest = read_manifest(manifest_path)
    known = [c["name"] for c in manifest["columns"]]
    if name not in known:
        raise UserError(f"{manifest_path}: no column {name!r}; {nearest(name, known)}")
    kept = [n for n in known if n.endswith(TOKENS)]
    if name not in kept:
        raise UserError(f"{manifest_path}: column {name!r} has no tokens; {nearest(name, kept)}")
    return list(_read_lists(manifest_path, manifest, name, finite=True))


def read_places(manifest_path: Path, where: str) -> list[np.ndarray]:
    """Load the positions of the image tokens of a component, in the order of ``image_tokens``.

    Result: list of ndarray, float32, shape (t, 7); view, row, column (-1: none), left, top, right,
    bottom in pixels of the image (NaN: none); rows in the order of :func:`read_ids`. Raise a
    UserError if there are no positions for it, a part is damaged, or a view, row or column is not
    finite.

    ``where``: a component, such as ``vision``, or an address: in a few models the later blocks of a
    component have fewer tokens than its first, with their own positions.
    """
    manifest = read_manifest(manifest_path)
    entries = manifest.get("places", [])
    wanted = (f"{where}/{PLACES}", f"{where}{TOKENS}")
    names = [e["name"] for e in entries if e["name"] == wanted[0] or wanted[1] in e["of"]]
    if not names:
        known = [e["name"].removesuffix(f"/{PLACES}") for e in entries]
        raise UserError(f"{manifest_path}: no places of {where!r}; {nearest(where, known)}")
    return list(_read_lists(manifest_path, manifest, names[-1], finite=False))


def _read_lists(
    manifest_path: Path, manifest: dict[str, Any], name: str, finite: bool
) -> Iterator[np.ndarray]:
    for path in part_paths(manifest_path, manifest):
        lists = read_table(path, [name]).column(name).combine_chunks()
        width = lists.type.value_type.list_size
        flat = lists.flatten().flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
        values = flat.astype(np.float32)  # (tokens of all rows, d)
        ends = np.cumsum(lists.value_lengths().to_numpy(zero_copy_only=False))
        checked = values if finite else values[:, :3]
        if not np.isfinite(checked).all():
            bad = int(np.argwhere(~np.isfinite(checked))[0, 0])
            row = int(np.searchsorted(ends, bad, side="right"))
            raise UserError(
                f"{path}: column {name!r}, row {row}: NaN or infinity, expected finite numbers"
            )
        yield from np.split(values, ends[:-1])


def read_ids(manifest_path: Path) -> list[str]:
    """Load the ids of all rows, in the order of parts."""
    manifest = read_manifest(manifest_path)
    name = ID[manifest["scope"]]
    return [
        value
        for path in part_paths(manifest_path, manifest)
        for value in read_table(path, [name]).column(name).to_pylist()
    ]


def read_manifest(manifest_path: Path) -> dict[str, Any]:
    """Load a manifest.json; paths of parts stay relative to its folder."""
    manifest: dict[str, Any] = read_json(manifest_path)
    return manifest


def read_dropped(manifest_path: Path) -> list[str]:
    """Load the ids without a row, which the model's own code could not process."""
    return sorted(read_manifest(manifest_path).get(DROPPED, {}))


def not_dropped(ids: pa.Array, dropped: Sequence[str]) -> pa.Array:
    """Return whether each id, (n,), is not among the dropped ones."""
    return pc.invert(pc.is_in(ids, pa.array(dropped, pa.string())))


def part_paths(manifest_path: Path, manifest: dict[str, Any]) -> list[Path]:
    """Return the paths of a manifest's parts, in its folder."""
    return [Path(manifest_path).parent / part["path"] for part in manifest["parts"]]


def check_parts(manifest_path: Path) -> None:
    """Hash all parts; raise a UserError for the first that differs from the manifest."""
    manifest = read_manifest(manifest_path)
    for part, path in zip(manifest["parts"], part_paths(manifest_path, manifest), strict=True):
        if not path.exists() or sha256(path) != part["sha256"]:
            raise UserError(
                f"{path}: bytes differ from {manifest_path}; delete the part and run again"
            )
