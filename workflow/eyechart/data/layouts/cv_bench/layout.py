"""The layout of CV-Bench on the hub: only ``test_3d.parquet``, with the depth-order task.

Source: the dataset's card (Tong et al., NeurIPS 2024).
"""

from pathlib import Path

from eyechart.core.errors import UserError, nearest
from eyechart.data.layouts.base import Inventory
from eyechart.data.records import Record, read_rows
from eyechart.tables import receipt

NAME = "cv_bench"
TOPS = ("CV-Bench", "")  # possible top folders of an archive
FILES = (r"test_3d\.parquet",)
RELEASED = ("test",)
TITLE, WITH = "CV-Bench", "answers"
ROWS = "test_3d.parquet"
DEPTH = "Depth"
TASKS = (DEPTH, "Distance", "Count", "Relation")


def is_depth(record: Record) -> bool:
    """Return whether a row is about depth order; raise a UserError for an unknown task."""
    task = record.values["task"]
    if task not in TASKS:
        raise UserError(f"{record.where}: task is {task!r}; {nearest(str(task), TASKS)}")
    return bool(task == DEPTH)


def inventory(root: Path, splits: list[str]) -> Inventory:
    """Return the number of rows about depth order, which must not be 0, and the single file."""
    path = root / ROWS
    count = sum(map(is_depth, read_rows(path, ["task"])))
    if not count:
        raise UserError(f"{path}: no row has the task {DEPTH!r}")
    counts = receipt.SplitCounts(images=count, questions=count)
    return dict.fromkeys(splits, counts), [Path(ROWS)]
