"""Small rendered datasets of every layout."""

import importlib
import io
import json

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from eyechart.data.canvas.tasks import BLINK

SETTINGS = {
    "image_px": [64, 64],
    "samples_per_pixel": 4,
    "objects": [1, 3],
    "extent": 1.3,
    "gap": 0.05,
    "min_visible_px": 12,
    "light_jitter": 1.0,
    "camera": {"position": [0, -9, 6], "target": [0, 0, 0.3], "fov": 22, "jitter": 0.3},
    "truth": True,
    "skills": list(BLINK.values()),  # only the layout blink has these
}

LOOK = {"image_px": [64, 64], "samples_per_pixel": 2}  # small, because many tests draw them


def step(name):
    role, _, dataset = name.partition("_")
    return importlib.import_module(f"eyechart.rendering.datasets.{dataset}.{role}")


def draw(root, layout, splits, shards=1, **changes):
    """Render a dataset as the rules do, shard by shard, and write its tables."""
    settings = {**SETTINGS, "splits": splits, "shards": shards, **changes}
    common = ["--dataset", layout, "--settings", json.dumps(settings), "--seed", "7"]
    common += ["--root", str(root)]
    outputs = []
    for split in splits:
        for shard in range(shards):
            outputs.append(str(root / "shards" / f"{split}-{shard:03d}.json"))
            flags = ["--split", split, "--shard", str(shard), "--output", outputs[-1]]
            step(f"draw_{layout}").main([*common, *flags])
    flags = ["--shards", *outputs, "--output", str(root / "acquired.json")]
    step(f"write_{layout}").main([*common, *flags])
    return root


def shards(root):
    return [json.loads(path.read_text()) for path in sorted((root / "shards").glob("*.json"))]


def tree(root):
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in sorted(root.rglob("*"))
        if p.is_file() and "shards" not in p.parts
    }


def rows(path):
    return pq.read_table(path).to_pylist()


def items(root, task=None):
    found = [item for shard in shards(root) for item in shard["items"]]
    return [item for item in found if task in (None, item.get("sub_task"))]


def opened(image):
    return np.array(Image.open(io.BytesIO(image["bytes"])))


def read(path):
    with Image.open(path) as image:
        return np.array(image)
