"""The items of the six tasks, with the regions of their references and choices."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.core.errors import UserError, nearest
from eyechart.tables.parquet import read_table
from eyechart.tables.readouts import TASKS
from eyechart.tables.regions import REF, REGIONS, SEEN, Region

_ITEMS = ["item_id", "group", "images", "choices", "answer", "task", "meta"]


@dataclass(frozen=True)
class ReadoutItem:
    """An item whose images are shown ``alone`` or on a ``canvas``."""

    item_id: str
    task: str
    group: str
    seen: str
    images: tuple[str, ...]  # images of one prompt, in order
    choices: tuple[str, ...]
    answer: str | None
    letters: tuple[str, ...]  # ``regions[letters[k]]`` is choice k
    # image and region by letter, and by ``REF`` if the task has a reference
    regions: dict[str, tuple[str, Region]]

    @cached_property
    def region_images(self) -> tuple[str, ...]:
        """The distinct images that the regions are on."""
        return tuple(dict.fromkeys(image for image, _ in self.regions.values()))


def read_readout_items(items_path: Path, regions_path: Path) -> list[ReadoutItem]:
    """Load the items of the six tasks, sorted by item and ``seen``.

    Raise a UserError if there is no such item, or if regions and items do not match: an unknown
    item, a duplicate region, a letter without a choice, a choice or reference without a region, or
    a shape that the task does not use.
    """
    items = pl.DataFrame(read_table(items_path, _ITEMS))
    chosen = items.filter(pl.col("task").is_in(list(TASKS)))
    if chosen.is_empty():
        there = sorted({str(task) for task in items["task"]})
        raise UserError(
            f"{items_path}: no item has a task with a readout ({', '.join(TASKS)}); "
            f"there are: {', '.join(there) or 'none'}"
        )
    regions = _read_regions(regions_path, set(items["item_id"]))
    found = []
    for item in chosen.sort("item_id").iter_rows(named=True):
        own = regions.get(item["item_id"])
        if not own:
            raise UserError(
                f"{regions_path}: item {item['item_id']!r} has no region, though its task is "
                f"{item['task']!r}"
            )
        letters = _letters(item, items_path)
        found += [_readout_item(item, letters, seen, own[seen], regions_path) for seen in own]
    return found


def _read_regions(
    path: Path, known: set[str]
) -> dict[str, dict[str, dict[str, tuple[str, Region]]]]:
    """Load the regions by item, ``seen`` and name, each with its image."""
    found: dict[str, dict[str, dict[str, tuple[str, Region]]]] = {}
    for row in pl.DataFrame(read_table(path, REGIONS.names)).iter_rows(named=True):
        item, seen, name = row["item_id"], row["seen"], row["name"]
        if item not in known:
            raise UserError(f"{path}: item {item!r} is not among the dataset's items")
        if seen not in SEEN:
            raise UserError(f"{path}: item {item!r}: seen is {seen!r}; {nearest(seen, SEEN)}")
        own = found.setdefault(item, {}).setdefault(seen, {})
        if name in own:
            raise UserError(f"{path}: item {item!r} has region {name!r} twice as {seen!r}")
        own[name] = row["image_id"], Region(*(row[field] for field in Region._fields))
    return found


def _letters(item: dict[str, Any], path: Path) -> tuple[str, ...]:
    """Return the letter of each choice, in the order of the choices."""
    letters = json.loads(item["meta"] or "{}").get("letters")
    choices = item["choices"] or []
    if not isinstance(letters, dict) or sorted(letters.values()) != sorted(choices):
        raise UserError(
            f"{path}: item {item['item_id']!r}: meta.letters is {letters!r}, expected a letter "
            f"for each of the choices {choices!r}"
        )
    of_choice = {choice: letter for letter, choice in letters.items()}
    return tuple(of_choice[choice] for choice in choices)


def _readout_item(
    item: dict[str, Any],
    letters: tuple[str, ...],
    seen: str,
    regions: dict[str, tuple[str, Region]],
    path: Path,
) -> ReadoutItem:
    where = f"{path}: item {item['item_id']!r} ({seen})"
    task = item["task"]
    expected = [REF, *letters] if TASKS[task].reference else list(letters)
    for name in regions:
        if name not in expected:
            raise UserError(f"{where}: region {name!r} has no choice; {nearest(name, expected)}")
    for name in expected:
        if name not in regions:
            raise UserError(f"{where}: {name!r} has no region; {nearest(name, regions)}")
        shape = regions[name][1].shape
        if shape != TASKS[task].shape:
            raise UserError(
                f"{where}: region {name!r} has the shape {shape!r}, expected {TASKS[task].shape!r} "
                f"for {task!r}"
            )
    return ReadoutItem(
        item_id=item["item_id"],
        task=task,
        group=item["group"],
        seen=seen,
        images=tuple(item["images"]),
        choices=tuple(item["choices"]),
        answer=item["answer"],
        letters=letters,
        regions={name: regions[name] for name in expected},
    )
