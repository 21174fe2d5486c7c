"""Items answered in steps (looks), continuing only while the verdict is undecided."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.core.randomness import seed_for
from eyechart.tables.parquet import read_notes, read_table
from eyechart.tables.verdict import UNDECIDED

# Metadata key of responses: JSON with the number of items planned up to each look, by task
NOTE = b"eyechart.looks"
Item = dict[str, Any]


def plan_looks(
    items: Sequence[Item], counts: Sequence[int], seed: int
) -> tuple[dict[str, int], dict[str, list[int]]]:
    """Return each item's look, from 0, and the number of items planned up to each look, by task.

    Groups stay whole. Their order depends only on the seed and their names, so an item's look does
    not depend on other items. Groups of the test set come first. Items after the last look have no
    look. Items without a verdict (open, or without a known answer) are in the first.

    Parameters
    ----------
    items : with ``item_id``, ``task``, ``group``, ``group_split``, ``choices`` and ``answer``
    counts : items per task up to each look, increasing; a look ends with the group that reaches its
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
    """Return the metadata of a response table that is answered in steps."""
    return {NOTE: json.dumps(planned)}


def read_planned(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the number of items planned up to each look, by task; empty if there are no looks."""
    note = read_notes(path).get(NOTE, b"{}")
    return {task: tuple(planned) for task, planned in json.loads(note).items()}
