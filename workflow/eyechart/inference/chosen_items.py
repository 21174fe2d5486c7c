"""Draw the items that a stage evaluates one by one, from the test groups and with the seed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eyechart.core import randomness
from eyechart.core.errors import UserError, nearest
from eyechart.tables.parquet import read_table

NEEDED = ["item_id", "group_split", "group", "images", "prompt", "choices", "answer", "task"]
Item = dict[str, Any]  # a row of items.parquet


def answerable_items(
    path: Path, part: str = "test", tasks: Sequence[str] | None = None
) -> list[Item]:
    """Read a split part's items that have an image and an answer among their choices.

    Items are sorted by id. Raise a UserError if there are none, or none for one of ``tasks``.
    """
    rows = read_table(path, [*NEEDED, "meta"]).to_pylist()
    found = [r for r in rows if r["group_split"] == part and answerable(r)]
    known = sorted({str(row["task"]) for row in found})
    for task in tasks or ():
        if found and task not in known:
            raise UserError(
                f"{path}: no item of task {task!r} in {part} groups; {nearest(task, known)}"
            )
    found = [row for row in found if tasks is None or row["task"] in tasks]
    if not found:
        raise UserError(
            f"{path}: no usable item in {part} groups, expected an image, choices and an "
            "answer among the choices"
        )
    return sorted(found, key=lambda row: str(row["item_id"]))


def read_image_files(path: Path) -> tuple[dict[str, str], dict[str, tuple[int, int]]]:
    """Read every image's path and size (width, height) in pixels, by id."""
    rows = read_table(path, ["image_id", "path", "width", "height"]).to_pylist()
    files = {row["image_id"]: row["path"] for row in rows}
    return files, {row["image_id"]: (row["width"], row["height"]) for row in rows}


def choose_items(path: Path, most: int, seed: int) -> list[Item]:
    """Read the test items to evaluate, at most ``most`` per task, sorted by id."""
    return draw_items(answerable_items(path), most, seed)


def draw_items(items: Sequence[Item], most: int, seed: int, by: str = "item_id") -> list[Item]:
    """Draw up to ``most`` items per task from as many groups as possible; sort them by id.

    With ``by="group"``, tasks get the same groups where possible, so that items share images.
    """
    tasks: dict[str, list[Item]] = {}
    for row in items:
        tasks.setdefault(row["task"], []).append(row)
    kept = [row for name in tasks for row in drawn(tasks[name], most, seed, by)]
    return sorted(kept, key=lambda row: str(row["item_id"]))


def answerable(item: Item) -> bool:
    """Return whether an item has an image, a known answer and a form that a VLM can answer."""
    form = json.loads(item["meta"] or "{}").get("form")
    known = item["answer"] in (item["choices"] or []) and len(item["choices"]) > 1
    return bool(item["images"]) and known and form != "which_image"


def drawn(items: Sequence[Item], most: int, seed: int, by: str = "item_id") -> list[Item]:
    """Draw items with the seed, one from every group before a second from any group."""
    order = sorted(items, key=lambda i: randomness.seed_for("traced", seed, i[by]))
    turn: Counter[str] = Counter()
    ranked = []
    for place, item in enumerate(order):
        ranked.append((turn[item["group"]], place, item))
        turn[item["group"]] += 1
    return [item for _, _, item in sorted(ranked, key=lambda r: r[:2])[:most]]
