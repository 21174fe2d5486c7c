"""Activations of the same images from two encoders, as files, and a brute-force search."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from eyechart.core.files import describe, write_json
from eyechart.tables import parquet
from eyechart.tables.activations import column
from eyechart.tables.items import IMAGES


def unit(values):
    """Return rows scaled to unit length, float32."""
    values = values.astype(np.float64)
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def planted(n, widths, pairs, seed):
    """Return features of n images in two encoders, and the pairs planted there, as rows i < j.

    A planted pair has cosine 0.97 or more in the first encoder and 0.5 or less in the second. Each
    has a decoy pair that is similar in both. Other rows are random and nearly orthogonal.
    """
    rng = np.random.default_rng(seed)
    first, second = (unit(rng.standard_normal((n, width))) for width in widths)
    places = rng.permutation(n)[: 4 * pairs].reshape(4, pairs)
    for one, other, target in ((0, 1, first), (2, 3, first), (2, 3, second)):
        noise = unit(rng.standard_normal((pairs, target.shape[1])))
        target[places[other]] = unit(target[places[one]] + rng.uniform(0, 0.2, (pairs, 1)) * noise)
    return first, second, {(min(a, b), max(a, b)) for a, b in places[:2].T.tolist()}


def brute_force(first, second, similar, different):
    """Return all matching pairs (i, j), widest gap first, then by position."""
    one, two = (x.astype(np.float64) @ x.astype(np.float64).T for x in (first, second))
    places = np.argwhere(np.triu((one > similar) & (two < different), 1))
    return sorted(map(tuple, places.tolist()), key=lambda p: (two[p] - one[p], p))


def write_activations(folder, model, name, values, ids, parts=1, scope="image"):
    """Write a manifest with one column in ``parts`` parts."""
    entries = []
    for number, rows in enumerate(np.array_split(np.arange(len(ids)), parts)):
        path = folder / model / f"part-{number:03d}.parquet"
        table = pa.table({f"{scope}_id": [ids[row] for row in rows], name: column(values[rows])})
        parquet.write_table(path, table)
        entries.append({**describe(path), "path": path.name, "rows": len(rows)})
    address, span = name.split("/")
    width = {"name": name, "address": address, "span": span, "width": values.shape[1]}
    manifest = folder / model / "manifest.json"
    note = {"model": model, "dataset": "d", "scope": scope, "rows": len(ids)}
    write_json(manifest, {**note, "columns": [width], "parts": entries})
    return manifest


def write_images(folder, ids, copies=()):
    """Write images.parquet and a small image per id; for (a, b) in ``copies``, b equals a."""
    rows = []
    same = {b: a for a, b in copies}
    for image_id in ids:
        path = Path(folder, f"{hashlib.sha256(image_id.encode()).hexdigest()[:8]}.png")
        digest = hashlib.sha256(same.get(image_id, image_id).encode()).hexdigest()
        color = tuple(bytes.fromhex(digest[:6]))
        Image.new("RGB", (8, 6), color).save(path)
        rows.append({"image_id": image_id, "path": str(path), "sha256": digest})
    output = folder / "images.parquet"
    filled = [{field.name: row.get(field.name) for field in IMAGES} for row in rows]
    parquet.write_table(output, pa.Table.from_pylist(filled, IMAGES))
    return output


def flags(first, second, images, output, changes):
    """Return the command-line arguments of find_pairs."""
    ask = {
        "first": "vision.0/cls", "second": "vision.0/cls", "similar": 0.95, "different": 0.6,
        "centre": False, "block": 64, "most": 500, "engine": "exact", "recall": 0.99,
    }  # fmt: skip
    return [
        "--first", str(first), "--second", str(second), "--images", str(images),
        "--settings", json.dumps(ask | changes), "--output", str(output),
    ]  # fmt: skip
