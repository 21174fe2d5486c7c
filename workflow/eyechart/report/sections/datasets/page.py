"""Datasets: sizes, tasks and sample images."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.core.randomness import generator
from eyechart.report.files import Inputs
from eyechart.report.images import embed
from eyechart.tables.items import LABEL, SPLIT_RULES
from eyechart.tables.parquet import read_table

QUESTIONS = 8  # maximum per image
NEGATIVE = ("no", "false")  # labels that indicate absence


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template data, or None if no dataset is given."""
    items, images = inputs.by_dataset("items"), inputs.by_dataset("images")
    tasks = tasks_of(inputs)
    found = [
        describe(
            name,
            pl.DataFrame(read_table(items[name])),
            pl.DataFrame(read_table(images[name])),
            tasks.get(name, set()),
            settings,
        )
        for name in items
        if name in images
    ]
    return {"datasets": found} if found else None


def describe(
    name: str,
    items: pl.DataFrame,
    images: pl.DataFrame,
    tasks: set[tuple[str, str]],
    settings: dict[str, Any],
) -> dict[str, Any]:
    """Return name, counts, examined tasks (as scope and task) and gallery of a dataset."""
    column, train, test = SPLIT_RULES[settings["split"]]
    of_images = sorted(task for scope, task in tasks if scope == "image")
    per_task = items.group_by("task").len("questions").sort("task").to_dicts()
    return {
        "name": name,
        "questions": len(items),
        "images": len(images),
        "train": images.filter(pl.col(column) == train).height,
        "test": images.filter(pl.col(column) == test).height,
        "item_tasks": [row for row in per_task if ("item", row["task"]) in tasks],
        "image_tasks": of_images,
        "gallery": gallery(name, items, images, of_images, settings),
    }


def gallery(
    dataset: str,
    items: pl.DataFrame,
    images: pl.DataFrame,
    probed: Collection[str],
    settings: dict[str, Any],
) -> list[dict[str, Any]]:
    """Draw ``settings["gallery"]`` images of a dataset with ``seed``, in id order.

    Result: rows with ``image_id``, ``split`` (the official split if there are several, and whether
    probes are trained on it if there are probes), ``source`` (a data URL of at most ``gallery_px``
    per side), ``width, height`` (px, as shown), ``questions`` (each prompt once, with its
    ``answers``; one per task, then more) and ``labels`` (from task to label, for probed tasks and
    for labels that indicate presence).
    """
    ids = images["image_id"].sort().to_list()
    draw = generator("gallery", settings["seed"], dataset)
    picked = sorted(draw.permutation(len(ids))[: settings["gallery"]].tolist())
    rows = {row["image_id"]: row for row in images.to_dicts()}
    questions = items.sort("item_id").explode("images")
    return [
        {
            **_image(rows[name], settings["gallery_px"]),
            "split": _split(rows[name], images, settings["split"]),
            "questions": _questions(questions.filter(images=name)),
            "labels": _labels(rows[name], probed),
        }
        for name in (ids[i] for i in picked)
    ]


def _image(row: dict[str, Any], pixels: int) -> dict[str, Any]:
    source, width, height = embed(Path(row["path"]), pixels)
    return {"image_id": row["image_id"], "source": source, "width": width, "height": height}


def _split(row: dict[str, Any], images: pl.DataFrame, rule: str) -> str:
    column, train, _ = SPLIT_RULES[rule]
    found = [row["split"]] if images["split"].n_unique() > 1 else []
    if (images[column] == train).any():
        found.append("trains probes" if row[column] == train else "held out")
    return "; ".join(found)


def _questions(items: pl.DataFrame) -> list[dict[str, Any]]:
    prompts = items.group_by("prompt", maintain_order=True)
    once = prompts.agg(
        pl.first("task"), answers=pl.col("answer").drop_nulls().unique(maintain_order=True)
    )
    turn = pl.int_range(pl.len()).over("task")
    return once.sort(turn, maintain_order=True).head(QUESTIONS).to_dicts()


def _labels(row: dict[str, Any], probed: Collection[str]) -> dict[str, str]:
    labels = {k.removeprefix(LABEL): str(v) for k, v in row.items() if k.startswith(LABEL) and v}
    return {t: v for t, v in labels.items() if t in probed or v.lower() not in NEGATIVE}


def tasks_of(inputs: Inputs) -> dict[str, set[tuple[str, str]]]:
    """Return the scope and task of all probes and responses, by dataset."""
    found: dict[str, set[tuple[str, str]]] = {}
    for file in inputs.of("probes"):
        scope = read_table(file.path, ["scope"])["scope"][0].as_py()
        found.setdefault(file.names["dataset"], set()).add((scope, file.names["task"]))
    for file in inputs.of("scores"):
        tasks = read_table(file.path, ["task"])["task"].unique().to_pylist()
        found.setdefault(file.names["dataset"], set()).update(("item", task) for task in tasks)
    return found
