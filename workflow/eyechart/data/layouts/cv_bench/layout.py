"""The layout of CV-Bench on the hub: of its files only ``test_3d.parquet``, which has depth order.

Source: the dataset's card (Tong et al., NeurIPS 2024).
"""

from pathlib import Path

from eyechart.core.errors import UserError, nearest
from eyechart.data.hub_rows import read_rows
from eyechart.data.layouts.base import check_splits, within_top
from eyechart.data.records import Record
from eyechart.tables import receipt

NAME = "cv_bench"
TOPS = ("CV-Bench", "")  # folders that an archive may hold everything in
RELEASED = ("test",)
ROWS = "test_3d.parquet"
DEPTH = "Depth"
TASKS = (DEPTH, "Distance", "Count", "Relation")


def member(name: str, splits: list[str]) -> str | None:
    """Give the path from the dataset's folder of a file, or None if not needed."""
    path = within_top(name, TOPS)
    return path if path == ROWS else None


def check_released(splits: list[str]) -> None:
    """Refuse any split but the one."""
    check_splits(splits, RELEASED, "CV-Bench", "answers")


def is_depth(record: Record) -> bool:
    """Say whether a row is of depth order; a task that CV-Bench has not is an error."""
    task = record.values["task"]
    if task not in TASKS:
        raise UserError(f"{record.where}: task is {task!r}; {nearest(str(task), TASKS)}")
    return bool(task == DEPTH)


def inventory(root: Path, splits: list[str]) -> tuple[dict[str, receipt.SplitCounts], list[Path]]:
    """Give the count of rows about depth order, and the one file.

    Raises
    ------
    UserError
        If the file is missing or damaged, or no row is about depth order.
    """
    check_released(splits)
    path = Path(root) / ROWS
    count = sum(map(is_depth, read_rows(path, ["task"])))
    if not count:
        raise UserError(f"{path}: no row has the task {DEPTH!r}")
    counts = receipt.SplitCounts(images=count, questions=count)
    return dict.fromkeys(splits, counts), [Path(ROWS)]
