"""Datasets: what is in each, which tasks are examined, and sample images with their questions."""

from pathlib import Path
from typing import Any

import polars as pl

from eyechart.core.randomness import generator
from eyechart.report.files import Inputs
from eyechart.report.images import embed
from eyechart.tables.items import LABEL, SPLIT_RULES
from eyechart.tables.parquet import read_table

QUESTIONS = 8  # per image, at most


def gallery(
    dataset: str, items: pl.DataFrame, images: pl.DataFrame, settings: dict[str, Any]
) -> list[dict[str, Any]]:
    """Draw ``settings["gallery"]`` images of a dataset by ``seed``, in the order of their ids.

    Result: rows with ``image_id, split``, ``source`` (a data address of at most ``gallery_px`` a
    side), ``width, height`` (px, as shown), ``questions`` (``prompt, answer, task``; one per task,
    then more) and ``labels`` (task to label).
    """
    ids = images["image_id"].sort().to_list()
    draw = generator("gallery", settings["seed"], dataset)
    picked = sorted(draw.permutation(len(ids))[: settings["gallery"]].tolist())
    rows = {row["image_id"]: row for row in images.to_dicts()}
    questions = items.sort("item_id").explode("images")
    split = SPLIT_RULES[settings["split"]][0]
    return [_entry(rows[ids[i]], questions, split, settings["gallery_px"]) for i in picked]


def _entry(row: dict[str, Any], items: pl.DataFrame, split: str, pixels: int) -> dict[str, Any]:
    source, width, height = embed(Path(row["path"]), pixels)
    questions = items.filter(pl.col("images") == row["image_id"])
    one_each = questions.unique("task", keep="first", maintain_order=True)
    rest = questions.join(one_each, on="item_id", how="anti", maintain_order="left")
    shown = pl.concat([one_each, rest]).head(QUESTIONS)
    labels = {k.removeprefix(LABEL): v for k, v in row.items() if k.startswith(LABEL) and v}
    return {
        "image_id": row["image_id"],
        "split": f"official {row['split']}, probes: {row[split]}",
        "source": source,
        "width": width,
        "height": height,
        "questions": shown.select("prompt", "answer", "task").to_dicts(),
        "labels": labels,
    }


def tasks_of(inputs: Inputs) -> dict[str, set[tuple[str, str]]]:
    """Return by dataset the scope and task of all probes and responses."""
    found: dict[str, set[tuple[str, str]]] = {}
    for file in inputs.of("probes"):
        scope = read_table(file.path, ["scope"])["scope"][0].as_py()
        found.setdefault(file.names["dataset"], set()).add((scope, file.names["task"]))
    for file in inputs.of("scores"):
        tasks = read_table(file.path, ["task"])["task"].unique().to_pylist()
        found.setdefault(file.names["dataset"], set()).update(("item", task) for task in tasks)
    return found
