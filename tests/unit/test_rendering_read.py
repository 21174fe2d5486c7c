"""Rendered datasets in official layouts have the same ground truth when read back."""

import importlib
import json

import polars as pl
import pytest
from rendering_fixture import draw, shards

LOOK = {"image_px": [64, 64], "samples_per_pixel": 1, "truth": False}
SHOWN = {"test_share": 1, "most": None, "canvas": True, "marks": True, "square": True,
         "canvas_px": 128, "columns": None, "gap": 0.04, "margin": 0, "background": "white",
         "label_share": 0.06}  # fmt: skip
SKILLS = {
    "Semantic_Correspondence": "semantic_correspondence",
    "Functional_Correspondence": "functional_correspondence",
    "Visual_Correspondence": "low_level_matching",
    "Art_Style": "art_style",
}


def prepared(root, layout, splits, **settings):
    """Render a dataset and read it; return its items, images and, if requested, regions."""
    drawn = draw(root / "raw", layout, splits, **LOOK)
    flags = {"dataset": layout, "receipt": drawn / "acquired.json", "seed": 7,
             "settings": json.dumps({"splits": list(splits), **settings}),
             "items": root / "items.parquet", "images": root / "images.parquet"}  # fmt: skip
    if layout != "nyuv2":
        flags["regions"] = root / "regions.parquet"
    argv = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    importlib.import_module(f"eyechart.data.layouts.{layout}.prepare").main(argv)
    return [item for shard in shards(drawn) for item in shard["items"]]


def table(root, name):
    return pl.read_parquet(root / f"{name}.parquet")


def letters(root):
    """Return the correct letter of every item, by id."""
    found = {}
    for row in table(root, "items").to_dicts():
        named = json.loads(row["meta"])["letters"]
        found[row["item_id"]] = next(k for k, text in named.items() if text == row["answer"])
    return found


def test_blink_is_read_with_its_points(tmp_path):
    wording = dict.fromkeys(SKILLS.values(), "official")
    drawn = prepared(
        tmp_path, "blink", {"val": 1}, **SHOWN, skills=list(SKILLS.values()), wording=wording
    )
    assert letters(tmp_path) == {item["idx"]: item["answer"] for item in drawn}
    alone = table(tmp_path, "regions").filter(pl.col("seen") == "alone", pl.col("shape") == "point")
    read = {(r["item_id"], r["name"]): (r["left"], r["top"]) for r in alone.to_dicts()}
    told = {
        (item["idx"], name): spot
        for item in drawn
        for points in item["points"]
        for name, spot in points.items()
    }
    assert set(read) == set(told)
    assert all(read[key] == pytest.approx(told[key], abs=1e-3) for key in told)


def test_cv_bench_is_read_with_its_boxes(tmp_path):
    wording = {"depth_order": "official"}
    drawn = prepared(tmp_path, "cv_bench", {"test": 2}, **SHOWN, wording=wording)
    assert list(letters(tmp_path).values()) == [item["answer"] for item in drawn]
    alone = table(tmp_path, "regions").filter(pl.col("seen") == "alone", pl.col("shape") == "box")
    boxes = alone.select("left", "top", "right", "bottom").rows()
    assert boxes == [tuple(map(float, box)) for item in drawn for box in item["boxes"]]


def test_mochi_is_read_with_its_odd_one(tmp_path):
    wording = {"odd_one_out": "Which picture shows a different object?"}
    drawn = prepared(tmp_path, "mochi", {"train": 2}, **SHOWN, wording=wording)
    odd = ["ABCD"[item["oddity_index"]] for item in drawn]
    assert list(letters(tmp_path).values()) == odd
    assert table(tmp_path, "items")["task"].unique().to_list() == ["odd_one_out"]


def test_nyuv2_is_read_with_its_depths(tmp_path):
    prepared(tmp_path, "nyuv2", {"train": 2, "test": 1}, test_share=1, most=None)
    images = table(tmp_path, "images")
    assert "label/depth_map" in images.columns
    assert len(images) == 3
