"""Items that are answered in steps (looks), further only where the verdict is undecided."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.core.randomness import seed_for
from eyechart.tables.parquet import read_notes, read_table
from eyechart.tables.verdict import UNDECIDED

# Key of the metadata of responses: JSON, by task how many items are planned up to each look
NOTE = b"eyechart.looks"
Item = dict[str, Any]


def plan_looks(
    items: Sequence[Item], counts: Sequence[int], seed: int
) -> tuple[dict[str, int], dict[str, list[int]]]:
    """Return the look of each item, from 0, and by task how many items are planned up to each look.

    Groups stay whole. Their order depends on the seed and their names alone, so an item has the
    same look whatever else is asked; those of the test part come first. Items after the last look
    have none. Items of which no verdict is made (open, or without a known answer) have the first.

    Parameters
    ----------
    items : with ``item_id``, ``task``, ``group``, ``group_split``, ``choices`` and ``answer``
    counts : items per task up to each look, rising; a look ends with the group that reaches its
        count
    """

    def place(item: Item) -> tuple[str, bool, int, str]:
        group = item["group"]
        return item["task"], item["group_split"] != "test", seed_for("looks", seed, group), group

    found: dict[str, int] = {}
    planned: dict[str, list[int]] = {}
    for task, own in groupby(sorted(items, key=place), lambda item: item["task"]):
        reached, ends = 0, {}
        for _, group in groupby(own, lambda item: item["group"]):
            members = list(group)
            closed = [i["item_id"] for i in members if i["choices"] and i["answer"] is not None]
            found |= {i["item_id"]: 0 for i in members}
            look = next((k for k, count in enumerate(counts) if reached < count), len(counts))
            found |= dict.fromkeys(closed, look)
            reached += len(closed) if look < len(counts) else 0
            ends[look] = reached
        planned[task] = sorted({end for end in ends.values() if end})
    return {name: look for name, look in found.items() if look < len(counts)}, planned


def undecided(classes: Path, dataset: str) -> set[str]:
    """Return the tasks of a dataset that a table of classes leaves undecided."""
    rows = pl.DataFrame(read_table(classes, ["dataset", "skill", "verdict"]))
    return set(rows.filter(dataset=dataset, verdict=UNDECIDED)["skill"])


def as_metadata(planned: Mapping[str, Sequence[int]]) -> dict[bytes, str]:
    """Return the metadata of responses that are answered in steps."""
    return {NOTE: json.dumps(planned)}


def read_planned(path: Path) -> dict[str, tuple[int, ...]]:
    """Return how many items are planned up to each look, by task; nothing if all at once."""
    note = read_notes(path).get(NOTE, b"{}")
    return {task: tuple(planned) for task, planned in json.loads(note).items()}
