"""The user's own data under ``data/raw/<dataset>``: images, and one table of items.

Whatever the source (a folder, a table or a Hugging Face dataset), :mod:`eyechart.data.own.take`
writes

* ``images/…``: the images, as links to the user's files, or written from a table's bytes;
* ``table.jsonl``: one row per item, see :class:`OwnEntry`.

so that the step ``prepare`` reads a single format.
"""

import re
from pathlib import Path
from typing import TypedDict

from eyechart.core.errors import UserError, nearest
from eyechart.data.records import read_jsonl

NAMES = ("folder", "table", "hf")
TABLE = "table.jsonl"
IMAGES = "images"
# Fields with one column each; `image` may be several columns, `labels` are by task
COLUMNS = ("prompt", "choices", "answer", "group", "item_id", "task", "pair", "split", "type")
KEYS = ("image", *COLUMNS, "labels")
NAME = r"[a-z0-9_]+"  # task names are part of result file names


class OwnEntry(TypedDict):
    """One row of ``table.jsonl``.

    ``where`` is the user's file and row, for errors; ``images`` are image ids, which are paths
    relative to ``images/``. Empty cells and missing columns are None.
    """

    where: str
    item_id: str
    split: str
    images: list[str]
    prompt: str | None
    choices: list[str] | None
    answer: list[str] | None
    group: str | None
    pair: str | None
    task: str | None
    type: str | None
    labels: dict[str, str | None]


def check_layout(layout: str) -> None:
    """Raise a UserError for a layout that is not one for the user's own data."""
    if layout not in NAMES:
        raise UserError(f"layout is {layout!r}; {nearest(layout, NAMES)}")


def check_columns(columns: dict[str, object]) -> None:
    """Raise a UserError for an unknown key under ``columns``, or an invalid label name."""
    for name in columns:
        if name not in KEYS:
            raise UserError(f"columns: unknown key {name!r}; {nearest(name, KEYS)}")
    labels = columns.get("labels", {})
    for name in labels if isinstance(labels, dict) else ():
        if not re.fullmatch(NAME, name):
            raise UserError(
                f"columns.labels: {name!r} is no valid task name, expected small letters, digits "
                "and underscores"
            )


def task_name(text: str, where: str) -> str:
    """Return a task name from any text: small letters and digits, all else becomes underscores.

    >>> task_name("Object counting (hard)", "mine.csv: line 2")
    'object_counting_hard'
    """
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if not name:
        raise UserError(f"{where}: task is {text!r}, expected a name with a letter or digit")
    return name


def read_entries(root: Path) -> list[OwnEntry]:
    """Read all rows of ``table.jsonl``."""
    return [OwnEntry(**record.values) for record in read_jsonl(Path(root) / TABLE)]  # type: ignore[typeddict-item]
