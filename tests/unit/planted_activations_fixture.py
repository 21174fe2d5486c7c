"""Datasets and activations with planted token contents."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from eyechart.core.files import describe, write_json
from eyechart.tables.activations import PLACE, column
from eyechart.tables.items import ITEMS
from eyechart.tables.parquet import write_table
from eyechart.tables.regions import REGIONS
from eyechart.tables.responses import ANSWERS

NAMES = {"model": "eye", "dataset": "puzzles"}
SIDE, PX = 8, 80  # tokens and pixels along one side of an image
Row = dict[str, Any]


def grid(
    rows: int = SIDE,
    columns: int = SIDE,
    box: tuple[float, float, float, float] = (0, 0, PX, PX),
    view: int = 0,
) -> np.ndarray:
    """Return the positions of a regular grid over a box, float32 (t, 7)."""
    row, col = np.divmod(np.arange(rows * columns), columns)
    wide, high = (box[2] - box[0]) / columns, (box[3] - box[1]) / rows
    x, y = box[0] + col * wide, box[1] + row * high
    edges = [np.full(len(row), view), row, col, x, y, x + wide, y + high]
    return np.stack(edges, axis=1).astype(np.float32)


def lists(rows: Sequence[np.ndarray]) -> pa.Array:
    """Return the Arrow column of arrays (t, d)."""
    offsets = np.cumsum([0, *(len(one) for one in rows)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), column(np.concatenate(rows)))


def write_source(
    folder: Path,
    ids: Sequence[str],
    tokens: dict[str, Sequence[np.ndarray]],
    places: dict[str, Sequence[np.ndarray]],
    scope: str = "image",
    parts: int = 2,
    cls: dict[str, np.ndarray] | None = None,
    names: dict[str, str] = NAMES,
) -> Path:
    """Write activations in parts (tokens by address, places by stage); return the manifest."""
    kept = {f"{a}/image_tokens": rows for a, rows in tokens.items()}
    vectors = {f"{a}/cls": rows for a, rows in (cls or {}).items()}
    found = []
    for number, part in enumerate(np.array_split(np.arange(len(ids)), parts)):
        columns: dict[str, pa.Array] = {f"{scope}_id": pa.array([ids[i] for i in part])}
        for name, rows in {**kept, **{f"{s}/places": p for s, p in places.items()}}.items():
            columns[name] = lists([rows[i] for i in part])
        columns |= {name: column(rows[part]) for name, rows in vectors.items()}
        path = folder / f"part-{number:03d}.parquet"
        write_table(path, pa.table(columns))
        found.append({**describe(path), "path": path.name, "rows": len(part)})
    spans = [(n, r[0].shape[1]) for n, r in kept.items()]
    spans += [(n, r.shape[1]) for n, r in vectors.items()]
    manifest = {**names, "scope": scope, "rows": len(ids)}
    manifest["columns"] = [
        {"name": n, "address": n.split("/")[0], "span": n.split("/")[1], "width": width}
        for n, width in spans
    ]
    manifest["places"] = [
        {"name": f"{s}/places", "of": [n for n in kept if n.startswith(s)], "width": len(PLACE)}
        for s in places
    ]
    write_json(folder / "manifest.json", {**manifest, "parts": found})
    return folder / "manifest.json"


def item(number: int, task: str, letters: str, answer: str, images: list[str], **more: Any) -> Row:
    """Return an item whose choices are ``(A)``, ``(B)``, ...; the answer is given as a letter."""
    row = dict.fromkeys(ITEMS.names) | {"item_id": f"q{number:04d}", "group": f"g{number:04d}"}
    row |= {"split": "val", "group_split": "test", "images": images, "prompt": "Which?"}
    row |= {"choices": [f"({k})" for k in letters], "answer": f"({answer})", "task": task}
    meta = '{"letters": {' + ", ".join(f'"{k}": "({k})"' for k in letters) + "}}"
    return row | {"type": task, "meta": meta} | more


def region(row: Row, seen: str, image: str, name: str, *box: float) -> Row:
    """Return an item's region: a point of two numbers, or a box or image of four."""
    shape = "box" if row["task"] == "depth_order" else "image"
    edges = box if len(box) == 4 else (*box, *box)
    place = dict(zip(("left", "top", "right", "bottom"), map(float, edges), strict=True))
    found = {"item_id": row["item_id"], "seen": seen, "image_id": image, "name": name}
    return found | {"shape": shape if len(box) == 4 else "point"} | place


def write_dataset(root: Path, items: Sequence[Row], regions: Sequence[Row]) -> None:
    """Write items.parquet and regions.parquet."""
    write_table(root / "items.parquet", pa.Table.from_pylist(list(items), ITEMS))
    write_table(root / "regions.parquet", pa.Table.from_pylist(list(regions), REGIONS))


def write_answers(path: Path, items: Sequence[Row], says: Callable[[Row, int], str]) -> None:
    """Write sighted answers in two orders of the choices."""
    rows = []
    for one in items:
        for order in range(2):
            row = dict.fromkeys(ANSWERS.names) | NAMES | {"condition": "sighted"}
            rows.append(row | {"item_id": one["item_id"], "order": order})
            rows[-1]["predicted"] = says(one, order)
    write_table(path, pa.Table.from_pylist(rows, ANSWERS))
