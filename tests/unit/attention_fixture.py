"""A loaded tiny random LLaVA, and a miniature dataset with regions."""

import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import tiny_models
from PIL import Image

from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.tables.items import IMAGES, ITEMS
from eyechart.tables.parquet import write_table
from eyechart.tables.regions import box, point, write_regions

SETTINGS = {"items": 3, "prompt": "{question}", "choices": "text", "images": 1, "top": 1}
LETTERS = {"A": "red", "B": "blue"}
SIZE = (64, 48)  # size of every image; the model sees only the central 32 x 32 pixels


def build_dataset(folder, count=4):
    """Write items of two tasks, one with regions; each item has its own image and group."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(5)
    items, images, regions = [], [], []
    for task in ("depth_order", "plain"):
        for n in range(count):
            name = f"{task}_{n}"
            path = folder / f"{name}.png"
            Image.fromarray(draw.integers(0, 255, (*SIZE[::-1], 3), dtype=np.uint8)).save(path)
            size = {"width": SIZE[0], "height": SIZE[1]}
            own = {"image_id": name, "path": str(path), "group": name, "type": "canvas"}
            images.append(own | size)
            items.append(
                {
                    "item_id": name,
                    "group_split": "test",
                    "group": name,
                    "images": [name],
                    "prompt": "what is it",
                    "choices": ["red", "blue"],
                    "answer": "blue" if n % 2 else "red",
                    "task": task,
                    "meta": json.dumps({"letters": LETTERS}),
                }
            )
            marks = [
                box("A", 16, 8, 30, 30),
                box("B", 34, 10 + n, 46, 30),
                point("REF", 30 + n, 20),
            ]
            marks = marks if task == "depth_order" else []
            regions += [
                {"item_id": name, "seen": "canvas", "image_id": name, **mark._asdict()}
                for mark in marks
            ]
    write_table(folder / "items.parquet", pa.Table.from_pylist(items, ITEMS))
    write_table(folder / "images.parquet", pa.Table.from_pylist(images, IMAGES))
    write_regions(folder / "regions.parquet", regions)
    return SimpleNamespace(
        **{name: folder / f"{name}.parquet" for name in ("items", "images", "regions")}
    )


def load_llava(folder, attention="eager"):
    """Build and load the tiny random LLaVA."""
    checkpoint = tiny_models.build_llava(folder)
    return load(
        tiny_models.spec("llava", checkpoint), checkpoint, LoadOptions("cpu", None, attention)
    )


def flags(data, folder, spec, checkpoint, **changes):
    """Return the command-line arguments of ``trace_items``."""
    given = {
        "model": "tiny",
        "dataset": "mini",
        "spec": spec,
        "checkpoint": checkpoint,
        "items": data.items,
        "images": data.images,
        "regions": data.regions,
        "seed": 7,
        "part": 0,
        "parts": 1,
        "settings": json.dumps(SETTINGS),
        "output": folder / "attention.parquet",
        **changes,
    }
    found = []
    for name, value in given.items():
        found += [f"--{name}"] if value is None else [f"--{name}", str(value)]
    return found
