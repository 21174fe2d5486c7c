"""Survey of the user's own table before anything runs: rows, splits, tasks, answers.

Snakemake imports this module at parse time, so it must not import numpy or pyarrow unless the table
is Parquet or Arrow. In that case images are not read, and each row counts as one image.
"""

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from eyechart.core.errors import UserError, nearest
from eyechart.core.links import is_file
from eyechart.data.own.entries import content, task_name
from eyechart.data.own.questions import question
from eyechart.data.own.sources import IN_TEXT, open_source, read_entries
from eyechart.tables.minimum_items import FEWEST_TESTED

READ = ("layout", "path", "columns", "images", "prompt", "choices", "task", "answer_as")


class SurveyedRow(NamedTuple):
    """Surveyed fields of a row; ``answer`` is None for an open question or an unknown answer."""

    split: str
    task: str
    answer: str | None
    images: list[str]
    choices: int
    labels: dict[str, str | None]


@dataclass
class Survey:
    """Counts of the rows of some splits.

    Attributes
    ----------
    rows, choices, open : number of rows, maximum number of choices, and number of rows without
        choices
    images : ids of all images
    asked : number of rows by item task
    answers : number of rows with each answer, by item task with choices, and of images with each
        label, by image task
    image_tasks : tasks that are labels of images
    """

    rows: int = 0
    choices: int = 0
    open: int = 0
    images: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    answers: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    image_tasks: list[str] = field(default_factory=list)

    def too_few(self, task: str, folds: int, test_share: float | None) -> str:
        """Return why a task cannot be probed with any split of its rows, or "".

        ``test_share`` is None if the table's own splits divide the rows.
        """
        counts = self.answers[task]
        common = [answer for answer, count in counts.items() if count >= folds]
        rows = sum(counts[answer] for answer in common)
        unit = "images" if task in self.image_tasks else "rows"
        if len(common) < 2:
            return (
                f"fewer than two answers are in at least {folds} (probing.folds) of its "
                f"{sum(counts.values())} {unit}"
            )
        if test_share is not None and rows * test_share < FEWEST_TESTED:
            return (
                f"{rows} {unit}, of which a share of {test_share:g} is tested (test_share), "
                f"expected at least {math.ceil(FEWEST_TESTED / test_share)}"
            )
        return ""

    def check(self, tasks: Iterable[str], where: str) -> None:
        """Raise a UserError that begins with ``where`` for a task that no row has."""
        for task in tasks:
            if task not in self.asked and task not in self.image_tasks:
                raise UserError(
                    f"{where}: no task {task!r}; {nearest(task, [*self.asked, *self.image_tasks])}"
                )


def survey(section: dict[str, Any]) -> Survey | None:
    """Return the survey of a dataset's configuration section; None if its file is missing."""
    path = Path(section["path"])
    if not path.exists():  # the step has a better error
        return None
    found = Survey(image_tasks=list(section.get("columns", {}).get("labels", {})))
    labelled: dict[str, dict[str, str]] = defaultdict(dict)  # several rows may show an image
    for row in _read(_key(section)):
        if row.split not in section["splits"]:
            continue
        found.rows += 1
        found.choices = max(found.choices, row.choices)
        found.open += not row.choices
        found.images.update(row.images)
        found.asked[row.task] += 1
        if row.answer is not None:
            found.answers[row.task][row.answer] += 1
        for task, label in row.labels.items():
            labelled[task] |= {row.images[0]: label} if label else {}
    found.answers |= {task: Counter(labels.values()) for task, labels in labelled.items()}
    return found


def splits(section: dict[str, Any]) -> list[str]:
    """Return the names of all splits, in row order; ``all`` if there are none."""
    if not Path(section["path"]).exists():
        return ["all"]
    return list(dict.fromkeys(row.split for row in _read(_key(section))))


def _key(section: dict[str, Any]) -> str:
    return json.dumps({key: section[key] for key in READ if key in section}, sort_keys=True)


@cache
def _read(key: str) -> list[SurveyedRow]:
    settings = json.loads(key)
    path = Path(settings["path"])
    sources = open_source(settings["layout"], path)
    seen = path.is_dir() or path.suffix.lower() in IN_TEXT
    seen &= settings["layout"] != "hf"
    rows = []
    for entry in read_entries(sources, settings, path, _Named if seen else None):
        item = question(entry, settings)
        answer = item["answer"] if item["choices"] else None
        images = entry["images"] or [entry["item_id"]]
        counted = (entry["split"], item["task"], answer, images, len(item["choices"]))
        rows.append(SurveyedRow(*counted, entry["labels"]))
    return rows


class _Named:
    """Images that are named but not read."""

    def __init__(self, base: Path) -> None:
        self.base = base

    def take(self, value: Any, split: str, where: str) -> str:
        found = content(value, where)
        return hashlib.sha256(found).hexdigest() if isinstance(found, bytes) else found

    def has(self, name: str) -> bool:
        return is_file(self.base / name)


def named_tasks(section: dict[str, Any]) -> list[str]:
    """Return the tasks with answers to learn that the section itself names."""
    columns, task = section.get("columns", {}), section.get("task")
    closed = task and section.get("choices") and section["layout"] != "folder"
    names = [task_name(task, "task")] if closed and task else []
    return [*names, *columns.get("labels", {})]
