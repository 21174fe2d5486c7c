"""Shared code for tests of all vision-centric layouts: images, settings and preparation."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

SHOWN = {"canvas": True, "marks": True, "square": True, "canvas_px": 96, "columns": None,
         "gap": 0.05, "margin": 0.0, "background": "white", "label_share": 0.06}  # fmt: skip


def photo(width: int, height: int, seed: int) -> Image.Image:
    """Return an image with detail everywhere, different for each seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 6 + 2, width // 6 + 2, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encode(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def prepare(
    step: Any, root: Path, splits: list[str], out: str = "out", **settings: Any
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Run a step ``prepare_<layout>``; return its items, images and regions."""
    given = SHOWN | {"splits": splits, "test_share": 1, "most": None} | settings
    step.main(
        [
            *("--dataset", root.name, "--receipt", str(root / "acquired.json"), "--seed", "7"),
            *("--settings", json.dumps(given), "--items", f"{out}/items.parquet"),
            *("--images", f"{out}/images.parquet", "--regions", f"{out}/regions.parquet"),
        ]
    )
    names = ("items", "images", "regions")
    items, images, regions = (pl.read_parquet(f"{out}/{name}.parquet") for name in names)
    return items, images, regions


def one(table: pl.DataFrame, column: str, value: str) -> dict[str, Any]:
    """Return the only row with the given value in a column."""
    return table.row(by_predicate=pl.col(column) == value, named=True)


def regions_of(
    regions: pl.DataFrame, item: str, seen: str
) -> dict[str, tuple[str, tuple[float, float, float, float]]]:
    """Return an item's regions by name, as the image's id and the four edges."""
    of = regions.filter((pl.col("item_id") == item) & (pl.col("seen") == seen))
    return {
        row["name"]: (row["image_id"], tuple(row[k] for k in ("left", "top", "right", "bottom")))
        for row in of.iter_rows(named=True)
    }


def check_tables(items: pl.DataFrame, images: pl.DataFrame, regions: pl.DataFrame) -> None:
    """Check the invariants of datasets: ids, sizes, letters, groups, regions within images."""
    known = {row["image_id"]: row for row in images.iter_rows(named=True)}
    for row in known.values():
        with Image.open(row["path"]) as image:
            assert image.size == (row["width"], row["height"])
    for item in items.iter_rows(named=True):
        meta = json.loads(item["meta"])
        assert list(meta["letters"].values()) == item["choices"]
        assert item["answer"] in item["choices"]
        for name in (*item["images"], *meta["views"]):
            assert known[name]["group"] == item["group"]
            assert known[name]["group_split"] == item["group_split"]
        for seen, shown in (("alone", meta["views"]), ("canvas", item["images"])):
            found = regions_of(regions, item["item_id"], seen)
            assert set(found) - {"REF"} == (set(meta["letters"]) if meta["regions"] else set())
            assert {image_id for image_id, _ in found.values()} <= set(shown)
    for row in regions.iter_rows(named=True):
        picture = known[row["image_id"]]
        assert 0 <= row["left"] <= row["right"] <= picture["width"] + 1e-6
        assert 0 <= row["top"] <= row["bottom"] <= picture["height"] + 1e-6
    assert regions.rows() == regions.sort("item_id", "seen", "name").rows()
