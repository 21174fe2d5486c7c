"""Miniatures of MMVP and MMVP-VLM in their official layouts, written by hand."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from eyechart.data.sources import local as sources_local

QUESTIONS = [
    ["1", "Are the butterfly's wings open or closed?", "(a) Open (b) Closed", "(a)"],
    ["2", "Are the butterfly's wings open or closed?", "(a) Open (b) Closed", "(b)"],
    ["3", "What do the words say?", '(a) "Go" (b) "Go!" (c) "No"', "(c)"],
    ["4", "What do the words say?", '(a) "Go" (b) "Go!" (c) "No"', "(A)"],
]
HEADER = ["Index", "Question", "Options", "Correct Answer"]
STATEMENTS = [
    ["1", "Camera_Perspective", "a dog seen from above"],
    ["2", "Camera_Perspective", "a dog seen from the side"],
    ["3", "Structural Character", "a chair with three legs, one of them broken"],
    ["4", "Structural Character", "a chair with four legs"],
]
VLM_HEADER = ["Question ID", "Type", "Statement"]


def write_rows(path: Path, header: list[str], rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])


def draw(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 10, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def make_mmvp(root: Path, rows: list[list[str]] = QUESTIONS) -> Path:
    write_rows(root / "Questions.csv", HEADER, rows)
    for row in rows:
        draw(root / f"MMVP Images/{row[0]}.jpg", int(row[0]))
    return root


def make_mmvp_vlm(
    root: Path, rows: list[list[str]] = STATEMENTS, folder: str = "MLLM_VLM Images"
) -> Path:
    write_rows(root / "Questions.csv", VLM_HEADER, rows)
    for number, kind, _ in rows:
        draw(root / folder / kind / f"{number}.jpg", int(number))
    return root


def acquire(source: Path, layout: str, root: Path, splits: tuple[str, ...] = ("test",)) -> None:
    settings = json.dumps({"layout": layout, "splits": list(splits)})
    sources_local.main(
        [
            *("--dataset", root.name, "--source", str(source), "--settings", settings),
            *("--root", str(root), "--output", str(root / "acquired.json")),
        ]
    )


def prepare(
    step: Any, root: Path, settings: dict[str, Any], out: str = "out"
) -> tuple[pl.DataFrame, pl.DataFrame]:
    given = json.dumps({"splits": ["test"], "test_share": 1, **settings})
    step.main(
        [
            *("--dataset", root.name, "--receipt", str(root / "acquired.json"), "--seed", "7"),
            *("--settings", given, "--items", f"{out}/items.parquet"),
            *("--images", f"{out}/images.parquet"),
        ]
    )
    return pl.read_parquet(f"{out}/items.parquet"), pl.read_parquet(f"{out}/images.parquet")
