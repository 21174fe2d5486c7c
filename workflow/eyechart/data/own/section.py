"""The section of a dataset of one's own: a folder, a table, or a Hugging Face dataset on disk."""

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
    """Which column of a table holds what; one with the key's own name needs no entry."""

    image: str | list[str] = optional("paths or bytes of images")
    prompt: str = optional("the question")
    choices: str = optional("its options")
    answer: str = optional("the right one")
    task: str = optional("the task")
    group: str = optional("what is not split between training and test")
    pair: str = optional("rows that count only together")
    item_id: str = optional("a unique name of the row")
    split: str = optional("the split")
    type: str = optional("what the control task assigns its labels to")
    region: str = optional("the region it is about: x, y or left, top, right, bottom in pixels")
    x: str = optional("the point it is about, instead of `region`", unit="px")
    y: str = optional("the same", unit="px")
    left: str = optional("the box it is about, instead of `region`", unit="px")
    top: str = optional("the same", unit="px")
    right: str = optional("the same", unit="px")
    bottom: str = optional("the same", unit="px")
    labels: dict[str, str] = optional("image tasks by name, each with its column")


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
        None, "names of splits, of the column `split` or of the files; null: all of them"
    )
    test_share: PositiveShare = setting(0.25, "share of the groups that the derived split tests on")
    columns: Columns = optional("which column of the table holds what")
    prompt: Text = optional("one question for all rows")
    choices: Annotated[list[str], Field(min_length=2), Unique, UNIQUE] = optional(
        "the options of all questions"
    )
    task: Text = optional("the task of all questions")
    answer_as: Literal["text", "letter", "index"] = optional(
        "how answers are written: `text` (default), `letter`: a, B, (c), `index`: 0, 1, …"
    )
    images: File = optional("the folder that paths of images start from, if not the table's own")
    allow_missing: bool = optional(
        "`true`: rows whose images are missing or cannot be read are left out, counted and listed"
    )
    tasks: Annotated[Names, AfterValidator(_as_names)] | None = setting(
        None, "tasks to probe; null: those of the table with choices, or labels, and enough rows"
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
        """Return in a sentence why the rows of a task are too few to probe it, or nothing."""
        found = survey(self.model_dump(exclude_none=True))
        return "" if found is None else found.too_few(task, folds, test_share)


SECTION = Own
