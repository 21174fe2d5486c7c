"""A small generated COCO in the official layout: random objects, captions and images."""

import json
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from eyechart.data.layouts.coco import prepare as coco_prepare
from eyechart.data.sources import local as sources_local

# ids have gaps, as in COCO; later categories are rarer
CATEGORIES = {1: "person", 3: "dog", 18: "wine glass", 44: "umbrella", 67: "dining table", 77: "tv",
              84: "skis", 90: "toothbrush"}  # fmt: skip
SIZE = (48, 32)
ROOT = Path("data/raw/coco")
SETTINGS = {
    "splits": ["val2017"],
    "test_share": 0.5,
    "subset": None,
    "allow_missing": False,
    "presence": 2,
    "position": 9,
    "position_margin": 0.1,
    "counting": 9,
    "most_count": 3,
    "most_objects": 5,
    "wording": {
        "presence": "Is there {a_category} here?",
        "position": "Is {a_category} on the {side}?",
        "counting": "How many {plural} are there?",
        "caption": "Describe the picture.",
    },
}


def thing(
    image: int, category: int, box: list[float], crowd: int = 0, number: int = 1
) -> dict[str, Any]:
    """Return the annotation of an object whose outline is its box."""
    left, top, width, height = box
    outline = [left, top, left + width, top, left + width, top + height, left, top + height]
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": box,
        "area": width * height,
        "iscrowd": crowd,
        "segmentation": [outline],
    }


def random_things(rng: np.random.Generator, image: int, numbers: Any) -> list[dict[str, Any]]:
    chances = np.array([1 / (n + 1) for n in range(len(CATEGORIES))])
    found = []
    for _ in range(rng.integers(0, 9)):
        left, top = (float(rng.integers(0, side - 8)) for side in SIZE)
        box = [left, top, float(rng.integers(1, 8)), float(rng.integers(1, 8))]
        category = int(rng.choice(list(CATEGORIES), p=chances / chances.sum()))
        found.append(thing(image, category, box, int(rng.random() < 0.1), next(numbers)))
    return found


def write_split(root: Path, split: str, things: dict[int, list[dict[str, Any]]]) -> Path:
    """Write a split whose images are the keys of ``things``, each with two captions."""
    rng = np.random.default_rng(len(things))
    images = [
        {"id": n, "file_name": f"{n:012d}.jpg", "width": SIZE[0], "height": SIZE[1]} for n in things
    ]
    (root / split).mkdir(parents=True, exist_ok=True)
    (root / "annotations").mkdir(exist_ok=True)
    for image in images:
        pixels = rng.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / split / image["file_name"])
    numbers = count(1)
    told = [
        {"id": next(numbers), "image_id": n, "caption": text}
        for text in ("Second  of {}.\n", "First of {}. ")
        for n in things
    ]
    for row in told:
        row["caption"] = row["caption"].format(row["image_id"])
        row["id"] = -row["id"]  # so that ids are not in file order
    named = [{"id": n, "name": name, "supercategory": "x"} for n, name in CATEGORIES.items()]
    every = [row for rows in things.values() for row in rows]
    write(root, f"instances_{split}", images=images, annotations=every, categories=named)
    write(root, f"captions_{split}", images=images, annotations=told)
    return root


def make_coco(root: Path, pictures: int, seed: int, split: str = "val2017") -> Path:
    """Write a split of random images, with gaps in the ids and some images without objects."""
    rng, numbers = np.random.default_rng(seed), count(1)
    ids = [7 * n + 3 for n in range(pictures)]
    return write_split(root, split, {n: random_things(rng, n, numbers) for n in ids})


def write(root: Path, name: str, **value: Any) -> None:
    (root / f"annotations/{name}.json").write_text(json.dumps(value), encoding="utf-8")


def read(root: Path, name: str) -> Any:
    return json.loads((root / f"annotations/{name}.json").read_text(encoding="utf-8"))


def acquire(source: Path, splits: tuple[str, ...] = ("val2017",)) -> None:
    settings = json.dumps({"layout": "coco", "splits": list(splits)})
    argv = ["--dataset", "coco", "--source", str(source), "--settings", settings]
    sources_local.main([*argv, "--root", str(ROOT), "--output", str(ROOT / "acquired.json")])


def prepare(out: str = "out", seed: int = 7, **changes: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Write the tables; return items and images."""
    argv = ["--dataset", "coco", "--receipt", str(ROOT / "acquired.json"), "--seed", str(seed)]
    argv += ["--settings", json.dumps(SETTINGS | changes)]
    argv += ["--items", f"{out}/items.parquet", "--images", f"{out}/images.parquet"]
    argv += ["--regions", f"{out}/regions.parquet"]
    coco_prepare.main(argv)
    return pl.read_parquet(f"{out}/items.parquet"), pl.read_parquet(f"{out}/images.parquet")
