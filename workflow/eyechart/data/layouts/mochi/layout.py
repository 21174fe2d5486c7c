"""The layout of MOCHI on the hub: ``data/train-00000-of-00001.parquet``, its one split.

Source: the dataset's card (Bonnen et al., NeurIPS 2024).
"""

import re
from pathlib import Path

from eyechart.core.errors import UserError
from eyechart.data.hub_rows import read_rows
from eyechart.data.layouts.base import check_splits, within_top
from eyechart.tables import receipt

NAME = "mochi"
TOPS = ("MOCHI", "")  # folders that an archive may hold everything in
RELEASED = ("train",)
_SHARD = re.compile(r"data/train-(\d{5})-of-(\d{5})\.parquet")


def member(name: str, splits: list[str]) -> str | None:
    """Give the path from the dataset's folder of a file, or None if not needed."""
    path = within_top(name, TOPS)
    return path if _SHARD.fullmatch(path) else None


def check_released(splits: list[str]) -> None:
    """Refuse any split but the one."""
    check_splits(splits, RELEASED, "MOCHI", "answers")


def shards(root: Path) -> list[Path]:
    """Give the files of rows, in order.

    Raises
    ------
    UserError
        If there is none, or one is missing.
    """
    found = sorted((Path(root) / "data").glob("train-*.parquet"))
    told = [_SHARD.fullmatch(path.relative_to(root).as_posix()) for path in found]
    counts = {int(match[2]) for match in told if match}
    if counts != {len(found)} or None in told:
        raise UserError(
            f"{root}: {len(found)} files data/train-*.parquet, expected all of a row such as "
            "data/train-00000-of-00001.parquet"
        )
    return found


def inventory(root: Path, splits: list[str]) -> tuple[dict[str, receipt.SplitCounts], list[Path]]:
    """Give the counts of the one split and its files, relative to ``root``.

    Raises
    ------
    UserError
        If a file is missing or damaged.
    """
    check_released(splits)
    files = shards(root)
    numbers = [r.values["n_objects"] for f in files for r in read_rows(f, ["n_objects"])]
    counts = receipt.SplitCounts(images=sum(n or 0 for n in numbers), questions=len(numbers))
    return dict.fromkeys(splits, counts), [file.relative_to(root) for file in files]
