"""The layout of CV-Bench on the hub: only ``test_3d.parquet``, which has the depth-order task.

Source: the dataset's card (Tong et al., NeurIPS 2024).
"""

from pathlib import Path

from eyechart.core.errors import UserError, nearest
from eyechart.data.hub_rows import read_rows
from eyechart.data.layouts.base import check_splits, within_top
from eyechart.data.records import Record
from eyechart.tables import receipt

NAME = "cv_bench"
TOPS = ("CV-Bench", "")  # possible top folders of an archive
RELEASED = ("test",)
ROWS = "test_3d.parquet"
DEPTH = "Depth"
TASKS = (DEPTH, "Distance", "Count", "Relation")


def member(name: str, splits: list[str]) -> str | None:
    """Return a file's path in the dataset's folder, or None if it is not needed."""
    path = within_top(name, TOPS)
    return path if path == ROWS else None


def check_released(splits: list[str]) -> None:
    """Raise a UserError for any split but the only one."""
    check_splits(splits, RELEASED, "CV-Bench", "answers")


def is_depth(record: Record) -> bool:
    """Return whether a row is about depth order; raise a UserError for an unknown task."""
    task = record.values["task"]
    if task not in TASKS:
        raise UserError(f"{record.where}: task is {task!r}; {nearest(str(task), TASKS)}")
    return bool(task == DEPTH)


def inventory(root: Path, splits: list[str]) -> tuple[dict[str, receipt.SplitCounts], list[Path]]:
    """Return the number of rows about depth order, and the only file.

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
