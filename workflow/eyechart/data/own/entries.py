"""One's own data as it lies under ``data/raw/<dataset>``: pictures, and one table of what is asked.

Whatever the source was, a folder, a table or a Hugging Face dataset, :mod:`take_own` leaves

* ``images/…``: the pictures, as links to the user's files, or written out of a table's bytes;
* ``table.jsonl``: a row per item, as :class:`OwnEntry` has it.

So whoever prepares the dataset reads one form.
"""

import re
from pathlib import Path
from typing import TypedDict

from eyechart.core.errors import UserError, nearest
from eyechart.data.records import read_jsonl

NAMES = ("folder", "table", "hf")
TABLE = "table.jsonl"
IMAGES = "images"
# What a row may say in a column each; besides, `image` may be several, `labels` are by task
COLUMNS = ("prompt", "choices", "answer", "group", "item_id", "task", "pair", "split", "type")
KEYS = ("image", *COLUMNS, "labels")
NAME = r"[a-z0-9_]+"  # tasks name files of results


class OwnEntry(TypedDict):
    """One row of ``table.jsonl``.

    ``where`` is the user's own file and row, for errors; ``images`` are ids of pictures, which are
    their paths from ``images/``. A cell that is empty or of no column is None.
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
    """Refuse a layout that is not of one's own data."""
    if layout not in NAMES:
        raise UserError(f"layout is {layout!r}; {nearest(layout, NAMES)}")


def check_columns(columns: dict[str, object]) -> None:
    """Refuse a key under ``columns`` that is nothing a row can say, or a label's odd name."""
    for name in columns:
        if name not in KEYS:
            raise UserError(f"columns: unknown key {name!r}; {nearest(name, KEYS)}")
    labels = columns.get("labels", {})
    for name in labels if isinstance(labels, dict) else ():
        if not re.fullmatch(NAME, name):
            raise UserError(
                f"columns.labels: {name!r} is no name of a task, expected small letters, digits "
                "and underscores"
            )


def task_name(text: str, where: str) -> str:
    """Give a task's name from any text: small letters and digits, all else underscores.

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
