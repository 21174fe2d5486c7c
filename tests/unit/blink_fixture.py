"""A miniature of BLINK on the hub: one folder per sub-task, with one Parquet file per split."""

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from skills_fixture import encode, photo

SIZES = ((60, 40), (50, 40), (44, 44))
POINTS = {"REF": (20.5, 10.5), "A": (5.5, 30.0), "B": (40.0, 8.0), "C": (25.5, 20.5), "D": (44, 35)}
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SCHEMA = pa.schema(
    [
        *[(name, pa.string()) for name in ("idx", "question", "sub_task")],
        *[(f"image_{n}", IMAGE) for n in (1, 2, 3, 4)],
        ("choices", pa.list_(pa.string())),
        *[(name, pa.string()) for name in ("answer", "prompt", "explanation")],
    ]
)
ASKED = "Which point is corresponding to the reference point?"


def row(sub_task: str, number: int, answer: str, split: str = "val") -> dict[str, Any]:
    style = sub_task == "Art_Style"
    choices = [f"Point {a}" for a in "ABCD"]
    choices = ["the second image", "the third image"] if style else choices
    listed = "\n".join(f"({a}) {text}" for a, text in zip("ABCD", choices, strict=False))
    seed = 10 * number + len(sub_task)
    images = [
        {"bytes": encode(photo(*size, seed + n), "JPEG"), "path": f"{n}.jpg"}
        for n, size in enumerate(SIZES[: 3 if style else 2])
    ]
    return {
        "idx": f"{split}_{sub_task}_{number}",
        "question": "Which shares the style?" if style else ASKED,
        "sub_task": sub_task,
        **{f"image_{n}": image for n, image in enumerate([*images, None, None][:4], 1)},
        "choices": choices,
        "answer": answer,
        "prompt": f"Two pictures.\n{ASKED}\nSelect from the following choices.\n{listed}",
        "explanation": "",
    }


def write_rows(root: Path, sub_task: str, rows: list[dict[str, Any]], split: str = "val") -> None:
    path = root / sub_task / f"{split}-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path)


def write_points(root: Path, rows: list[tuple[Any, ...]]) -> None:
    with open(root / "Points.csv", "w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([("idx", "name", "x", "y"), *rows])


def points_of(*names: str) -> list[tuple[Any, ...]]:
    return [(idx, name, *at) for idx in names for name, at in POINTS.items()]


def make_blink(root: Path, points: bool = True) -> Path:
    """Write two items of every sub-task, and a test split with hidden answers."""
    names = []
    for sub_task in ("Semantic_Correspondence", "Functional_Correspondence",
                     "Visual_Correspondence", "Art_Style"):  # fmt: skip
        write_rows(root, sub_task, [row(sub_task, 1, "(A)"), row(sub_task, 2, "(B)")])
        hidden = [row(sub_task, 1, "hidden", "test")]
        write_rows(root, sub_task, hidden, "test")
        names += [] if sub_task == "Art_Style" else [f"val_{sub_task}_{n}" for n in (1, 2)]
    write_rows(root, "Jigsaw", [row("Jigsaw", 1, "(A)")])  # a sub-task that is never requested
    if points:
        write_points(root, points_of(*names))
    return root
