"""Layouts of numbered images in pairs, MMVP and MMVP-VLM: 2k − 1 and 2k form a pair.

Neither has splits; the only split of a dataset in these layouts may have any name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from eyechart.core.errors import UserError
from eyechart.data.layouts.base import Inventory, check_file
from eyechart.data.preparation import Divide, Row, image_row
from eyechart.data.records import Record, read_csv, require
from eyechart.tables import receipt

QUESTIONS = "Questions.csv"


@dataclass(frozen=True)
class PairedRow:
    """One row of ``Questions.csv``, about the image with the same number."""

    where: str
    number: int
    text: str
    pattern: str


Paired = TypeVar("Paired", bound=PairedRow)


def folder(root: Path, names: tuple[str, ...]) -> str:
    """Return the existing one of several image folders; raise a UserError if there is none."""
    found = [name for name in names if (root / name).is_dir()]
    if not found:
        raise UserError(f"{root}: no image folder, expected {' or '.join(names)}")
    return found[0]


def image_name(number: int) -> str:
    """Return the id of the image with this number."""
    return f"image_{number:03d}"


def pair_name(number: int) -> str:
    """Return the id of the pair of 2k − 1 and 2k.

    >>> pair_name(1), pair_name(2), pair_name(300)
    ('pair_001', 'pair_001', 'pair_150')
    """
    return f"pair_{(number + 1) // 2:03d}"


def partner_of(number: int) -> int:
    """Return the other number of a pair: 2k for 2k − 1 and vice versa.

    >>> partner_of(1), partner_of(2), partner_of(279)
    (2, 1, 280)
    """
    return number + 1 if number % 2 else number - 1


def read_paired(
    root: Path,
    columns: tuple[str, ...],
    read: Callable[[Record], Paired],
    check: Callable[[Paired, Paired], None],
    spelled: Mapping[str, str] | None = None,
) -> list[Paired]:
    """Read ``Questions.csv``, sorted by the first of the columns, which numbers the images.

    ``check`` compares a row with its partner; ``spelled`` maps other spellings to columns. Raise a
    UserError if a column is missing, a cell cannot be read, or a number is duplicated or lacks its
    partner.
    """
    path, key = root / QUESTIONS, columns[0]
    records = read_csv(path, strict=False)  # as lenient with quotes as the authors' readers
    for record in records:
        for other, column in (spelled or {}).items():
            if other in record.values:
                record.values[column] = record.values.pop(other)
    require(records, columns, path)
    found: dict[int, Paired] = {}
    for row in map(read, records):
        if found.setdefault(row.number, row) is not row:
            earlier = found[row.number].where
            raise UserError(f"{row.where}: {key} {row.number} is already in {earlier}")
    for number, row in found.items():
        partner = found.get(partner_of(number))
        if partner is None:
            raise UserError(
                f"{row.where}: {key} {number} lacks its partner {partner_of(number)} among the "
                f"{len(found)} rows, but 2k - 1 and 2k make a pair"
            )
        check(row, partner)
    return [found[number] for number in sorted(found)]


def inventory_of(
    root: Path, split: str, rows: Sequence[PairedRow], images: list[str], tables: list[str]
) -> Inventory:
    """Return the counts of the only split, and all files: the tables and one image per row."""
    for row, name in zip(rows, images, strict=True):
        check_file(root / name, f"but {row.where} asks about it")
    counts = receipt.SplitCounts(images=len(rows), questions=len(rows))
    return {split: counts}, [Path(file) for file in (*tables, *images)]


def item_row(row: PairedRow, split: str, divide: Divide) -> Row:
    """Return the item fields of both layouts; the pair is the group, the pattern is the task."""
    pair = pair_name(row.number)
    return {
        "split": split,
        "group_split": divide(pair),
        "group": pair,
        "prompt": row.text,
        "task": row.pattern,
        "type": row.text,
        "pair": pair,
    }


def image_rows(
    rows: Sequence[PairedRow], paths: list[Path], split: str, divide: Divide
) -> list[Row]:
    """Return one row per image, without its hash and size; its type is the pattern of its pair."""
    return [
        image_row(image_name(row.number), split, pair_name(row.number), divide, path, row.pattern)
        for row, path in zip(rows, paths, strict=True)
    ]
