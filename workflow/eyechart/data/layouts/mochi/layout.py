"""The layout of MOCHI on the hub: ``data/train-00000-of-00001.parquet``, its only split.

Source: the dataset's card (Bonnen et al., NeurIPS 2024).
"""

import re
from pathlib import Path

from eyechart.core.errors import UserError
from eyechart.data.layouts.base import Inventory
from eyechart.data.records import read_rows
from eyechart.tables import receipt

NAME = "mochi"
TOPS = ("MOCHI", "")  # possible top folders of an archive
FILES = (r"data/train-(\d{5})-of-(\d{5})\.parquet",)
RELEASED = ("train",)
TITLE, WITH = "MOCHI", "answers"


def shards(root: Path) -> list[Path]:
    """Return the Parquet files, in order; raise a UserError if the set is incomplete."""
    found = sorted((root / "data").glob("train-*.parquet"))
    matches = [re.fullmatch(FILES[0], path.relative_to(root).as_posix()) for path in found]
    counts = {int(match[2]) for match in matches if match}
    if counts != {len(found)} or None in matches:
        raise UserError(
            f"{root}: {len(found)} files data/train-*.parquet, expected a complete set such as "
            "data/train-00000-of-00001.parquet"
        )
    return found


def inventory(root: Path, splits: list[str]) -> Inventory:
    """Return the counts of the only split, and its files relative to ``root``."""
    files = shards(root)
    numbers = [r.values["n_objects"] for f in files for r in read_rows(f, ["n_objects"])]
    counts = receipt.SplitCounts(images=sum(n or 0 for n in numbers), questions=len(numbers))
    return dict.fromkeys(splits, counts), [file.relative_to(root) for file in files]
