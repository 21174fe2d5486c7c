"""Datasets: sizes, tasks and sample images."""

from typing import Any

import polars as pl

from eyechart.report.files import Inputs
from eyechart.report.sections.datasets.load import gallery, tasks_of
from eyechart.tables.items import SPLIT_RULES
from eyechart.tables.parquet import read_table


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the template shows, or None where no dataset is given."""
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
