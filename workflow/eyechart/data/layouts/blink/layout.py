"""The layout of BLINK on the hub: ``<Sub_Task>/<split>-00000-of-00001.parquet``, four sub-tasks.

Marks are drawn into the images, and no column contains their positions. An optional table that
eyechart adds, ``Points.csv`` next to the folders, may contain them: ``idx,name,x,y``, with REF on
the first image and A to D on the second.

Source: the dataset's card (Fu et al., ECCV 2024).
"""

from pathlib import Path

from eyechart.core.errors import UserError, nearest
from eyechart.data.canvas.tasks import BLINK
from eyechart.data.layouts.base import Inventory
from eyechart.data.records import read_csv, read_rows, require
from eyechart.tables import receipt
from eyechart.tables.regions import REF, Region, point

NAME = "blink"
TOPS = ("BLINK", "")  # possible top folders of an archive
FILES = (rf"({'|'.join(BLINK)})/{{split}}-00000-of-00001\.parquet", r"Points\.csv")
RELEASED = ("val",)  # the answers of test are not public
TITLE, WITH = "BLINK", "answers"
POINTS = "Points.csv"  # eyechart's addition: positions of the marks of each idx
COLUMNS = ("idx", "name", "x", "y")
NAMES = (REF, "A", "B", "C", "D")


def shard(sub_task: str, split: str) -> str:
    """Return the path of a sub-task's rows in the dataset's folder."""
    return f"{sub_task}/{split}-00000-of-00001.parquet"


def existing_sub_tasks(root: Path, split: str) -> list[str]:
    """Return the sub-tasks of a split whose files exist; raise a UserError if there are none."""
    found = [name for name in BLINK if (root / shard(name, split)).is_file()]
    if not found:
        raise UserError(f"{root}: none of {', '.join(shard(name, split) for name in BLINK)} exists")
    return found


def inventory(root: Path, splits: list[str]) -> Inventory:
    """Return the counts per split, and all files relative to ``root``."""
    counts: dict[str, receipt.SplitCounts] = {}
    files: list[Path] = []
    for split in splits:
        images = questions = 0
        for name in existing_sub_tasks(root, split):
            rows = sum(1 for _ in read_rows(root / shard(name, split), ["idx"]))
            questions += rows
            images += rows * images_per_item(name)
            files.append(Path(shard(name, split)))
        counts[split] = receipt.SplitCounts(images=images, questions=questions)
    if (root / POINTS).exists():
        read_points(root)
        files.append(Path(POINTS))
    return counts, files


def images_per_item(sub_task: str) -> int:
    """Return the number of images of a sub-task's items."""
    return 3 if sub_task == "Art_Style" else 2


def read_points(root: Path) -> dict[str, dict[str, Region]]:
    """Return the points of every ``idx`` by name; empty if there is no such table.

    Raise a UserError if a column is missing, a cell is not a number, a name is unknown or
    duplicated, or an ``idx`` has some but not all of the five points.
    """
    path = root / POINTS
    if not path.exists():
        return {}
    records = read_csv(path)
    require(records, COLUMNS, path)
    found: dict[str, dict[str, Region]] = {}
    for record in records:
        idx, name = record.values["idx"], record.values["name"]
        if name not in NAMES:
            raise UserError(f"{record.where}: name is {name!r}; {nearest(name, NAMES)}")
        marks = found.setdefault(idx, {})
        if name in marks:
            raise UserError(f"{record.where}: {name} of {idx!r} already has a row above")
        marks[name] = point(name, *(_number(record.values[c], c, record.where) for c in ("x", "y")))
    for idx, marks in found.items():
        absent = [name for name in NAMES if name not in marks]
        if absent:
            raise UserError(f"{path}: {idx!r} lacks {', '.join(absent)}; give all five or none")
    return found


def _number(text: str, column: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{where}: {column} is {text!r}, expected a number of pixels") from None
