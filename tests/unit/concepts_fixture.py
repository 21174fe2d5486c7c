"""A Stroop dataset's tables, and activations with a planted cue."""

import itertools
import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from eyechart.concepts import compare
from eyechart.core.files import describe, write_json
from eyechart.core.randomness import generator
from eyechart.tables.activations import column
from eyechart.tables.items import ITEMS, images_schema
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.responses import ANSWERS

NAMES = ["gray", "red", "blue", "green", "brown", "purple", "cyan", "yellow"]
LABELS = ["word", "font", "background", "concept"]
SETTINGS = {
    "columns": ["*"], "components": 50, "neighbours": 5, "power": 1, "shown": 5,
    "threshold": 0.8, "permutations": 20, "bootstrap": 200,
}  # fmt: skip


def write_tables(root, pictures=6, names=NAMES, prompts=("What color?",), full=False):
    """Write items and images: the full grid, or all of it except unreadable cells."""
    images = []
    grid = itertools.product(names, names, names)
    for number, (word, font, background) in enumerate(grid):
        if font != background or full:
            told = {"word": word, "font": font, "background": background}
            images.append((f"word_{number:04d}", f"typeface_{number % 3}_place_{number % 7}", told))
    for name, number in itertools.product(names, range(pictures)):
        image = f"concept_{name}_{number:03d}"
        images.append((image, image, {"concept": name}))
    rows, items = [], []
    for image, group, told in images:
        shared = {"split": "test", "group_split": "test", "group": group}
        labels = {f"label/{name}": told.get(name) for name in LABELS}
        rows.append({"image_id": image, "path": f"{image}.png", **shared, **labels})
        for number, prompt in enumerate(prompts):
            item = {"item_id": f"{image}_{number}", "images": [image], "prompt": prompt, **shared}
            answer = told.get("font") or told["concept"]
            task = "concept" if "concept" in told else "stroop"
            meta = json.dumps({"rgb": [10 * names.index(answer), 20, 30]})
            item |= {"choices": names, "answer": answer, "task": task, "meta": meta}
            items.append(dict.fromkeys(ITEMS.names) | item)
    schema = images_schema(LABELS)
    filled = [dict.fromkeys(schema.names) | row for row in rows]
    write_table(root / "images.parquet", pa.Table.from_pylist(filled, schema))
    write_table(root / "items.parquet", pa.Table.from_pylist(items, ITEMS))


def read_rows(root):
    """Return the rows of images.parquet, and of items.parquet with their images' labels."""
    images = read_table(root / "images.parquet").to_pylist()
    by_id = {row["image_id"]: row for row in images}
    items = read_table(root / "items.parquet").to_pylist()
    return images, [by_id[row["images"][0]] | row for row in items]


def planted(rows, weights, width=64, noise=0.1, names=NAMES, seed=7, words=None, drawn=False):
    """Return vectors (n, width); each word image's vector is the weighted sum of its cues'
    directions.

    ``weights`` are for word, font and background. A concept image's vector is its colour's
    direction. All vectors have noise of length ``noise``; for word images, ``words`` replaces it if
    given. If ``drawn``, each word image follows one cue, drawn with the weights as probabilities.
    """
    rng = generator("planted", seed, width)
    directions = rng.standard_normal((len(names), width))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    vectors = rng.standard_normal((len(rows), width)) / np.sqrt(width)
    for i, row in enumerate(rows):
        concept = row["label/concept"]
        vectors[i] *= noise if concept or words is None else words
        cues = [directions[names.index(row[f"label/{c}"])] for c in LABELS[:3] if not concept]
        own = rng.multinomial(1, weights) if drawn else weights
        vectors[i] += directions[names.index(concept)] if concept else np.dot(own, cues)
    return vectors.astype(np.float32)


def write_manifest(root, columns, scope="image", model="m", dataset="d"):
    """Write activations; ``columns`` is {address/span: (n, d)}, in the scope's order of rows."""
    images, items = read_rows(root)
    key, rows = ("image_id", images) if scope == "image" else ("item_id", items)
    folder = root / scope
    table = {key: [row[key] for row in rows]} | {n: column(v) for n, v in columns.items()}
    path = folder / "part-000.parquet"
    write_table(path, pa.table(table))
    entries = []
    for name, values in columns.items():
        address, span = name.split("/")
        width = {"width": values.shape[1], "dtype": "float32"}
        entries.append({"name": name, "address": address, "span": span, **width})
    facts = {"model": model, "dataset": dataset, "scope": scope, "rows": len(rows)}
    part = {**describe(path), "path": path.name, "rows": len(rows)}
    write_json(folder / "manifest.json", {**facts, "columns": entries, "parts": [part]})
    return folder / "manifest.json"


def write_answers(root, cue, condition="sighted", orders=1, model="m"):
    """Write answers that always follow a cue; concept images are named correctly."""
    rows = []
    for item in read_rows(root)[1]:
        said = item["label/concept"] or item[f"label/{cue}"]
        for order in range(orders):
            row = {"model": model, "dataset": "d", "condition": condition, "order": order}
            row |= {"item_id": item["item_id"], "predicted": said}
            rows.append(dict.fromkeys(ANSWERS.names) | row)
    path = root / f"{condition}.parquet"
    write_table(path, pa.Table.from_pylist(rows, ANSWERS))
    return path


def run(root, manifests, answers=(), **changes):
    """Run the step; return the paths of its three tables."""
    outputs = [root / f"{name}.parquet" for name in ("cues", "separation", "projection")]
    compare.main(
        [
            *("--model", "m", "--dataset", "d", "--manifests", *map(str, manifests)),
            *("--items", str(root / "items.parquet"), "--images", str(root / "images.parquet")),
            *("--answers", *map(str, answers), "--seed", "7"),
            *("--settings", json.dumps(SETTINGS | changes)),
            *("--cues", str(outputs[0]), "--separation", str(outputs[1])),
            *("--projection", str(outputs[2])),
        ]
    )
    return [Path(path) for path in outputs]
