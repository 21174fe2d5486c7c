"""The section of the user's own dataset: a folder, a table, or a Hugging Face dataset on disk."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from eyechart.data.own.entries import task_name
from eyechart.data.own.survey import named_tasks, splits, survey
from eyechart.plan.config.base import (
    UNIQUE,
    File,
    Names,
    PositiveShare,
    Section,
    Text,
    Texts,
    Unique,
    optional,
    setting,
)
from eyechart.plan.config.dataset import Dataset
from eyechart.plan.layout import Layout


def _as_names(tasks: list[str]) -> list[str]:
    return [task_name(task, "datasets: tasks") for task in tasks]


class Columns(Section):
    """The columns of a table. A column with the same name as its key needs no entry."""

    image: str | list[str] = optional("paths or bytes of images")
    prompt: str = optional("the question")
    choices: str = optional("its options")
    answer: str = optional("the correct choice")
    task: str = optional("the task")
    group: str = optional("rows that are not split between training and test")
    pair: str = optional("rows that are scored together")
    item_id: str = optional("unique name of the row")
    split: str = optional("the split")
    type: str = optional("input type, to which the control task assigns labels")
    region: str = optional("region of the item: x, y or left, top, right, bottom in pixels")
    x: str = optional("point of the item, instead of `region`", unit="px")
    y: str = optional("the same", unit="px")
    left: str = optional("box of the item, instead of `region`", unit="px")
    top: str = optional("the same", unit="px")
    right: str = optional("the same", unit="px")
    bottom: str = optional("the same", unit="px")
    labels: dict[str, str] = optional("columns of image tasks, by task name")


class Own(Dataset):
    """Your own data: docs/own_data.md."""

    LAYOUT = Layout(
        prepare_step="data.own.prepare",
        local_step="data.own.import_local",
        acquire_keys=("columns", "images", "allow_missing"),
        prepare_keys=("layout", "prompt", "choices", "task", "answer_as", "allow_missing"),
        sources=("local",),
        own_tasks=True,
        located=True,
        region_columns=("region", "x", "y", "left", "top", "right", "bottom"),
    )
    RELEASED = ("all",)

    layout: Literal["folder", "table", "hf"] = setting(
        ..., "`folder` of images, `table` (CSV, TSV, JSONL, Parquet) or `hf` (Parquet, Arrow)"
    )
    source: Literal["local"] = setting("local", "`local`: from `path`")
    path: File = setting(..., "the folder or file")
    splits: Texts | None = setting(
        None, "names of splits, from the column `split` or the files; null: all of them"
    )
    test_share: PositiveShare = setting(
        0.25, "share of the groups in the test set of the derived split"
    )
    columns: Columns = optional("columns of the table")
    prompt: Text = optional("one question for all rows")
    choices: Annotated[list[str], Field(min_length=2), Unique, UNIQUE] = optional(
        "choices of all questions"
    )
    task: Text = optional("task of all questions")
    answer_as: Literal["text", "letter", "index"] = optional(
        "form of answers: `text` (default), `letter`: a, B, (c), `index`: 0, 1, …"
    )
    images: File = optional("base folder of image paths, if not the table's folder")
    allow_missing: bool = optional(
        "`true`: rows with missing or unreadable images are omitted, counted and listed"
    )
    tasks: Annotated[Names, AfterValidator(_as_names)] | None = setting(
        None, "tasks to probe; null: all tasks of the table with choices or labels, and enough rows"
    )

    def all_splits(self) -> list[str]:
        """Return the splits of the table, or ``all``."""
        return splits(self.model_dump(exclude_none=True))

    def all_tasks(self) -> list[str]:
        """Return the tasks of the table that have answers to learn."""
        section = self.model_dump(exclude_none=True)
        found = survey(section)
        return named_tasks(section) if found is None else list(found.answers)

    def too_few(self, task: str, folds: int, test_share: float | None) -> str:
        """Return why a task has too few rows to be probed, or an empty string."""
        found = survey(self.model_dump(exclude_none=True))
        return "" if found is None else found.too_few(task, folds, test_share)


SECTION = Own
