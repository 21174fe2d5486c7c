"""Read rows of the hub's Parquet datasets: needed columns, typed cells, image bytes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError, nearest
from eyechart.data.arrow_rows import read_parquet
from eyechart.data.records import Record


def read_rows(path: Path, columns: list[str], optional: tuple[str, ...] = ()) -> Iterator[Record]:
    """Yield the rows of a file with these columns, and with the ``optional`` ones that exist.

    Raises
    ------
    UserError
        If the file is missing or damaged, or lacks a column.
    """
    present, rows = read_parquet([path])
    for column in columns:
        if column not in present:
            raise UserError(f"{path}: column {column!r} is missing; {nearest(column, present)}")
    yield from rows([*columns, *(name for name in optional if name in present)])


def image_bytes(value: Any, where: str) -> bytes:
    """Return the bytes of an image cell.

    Raises
    ------
    UserError
        If the cell has no bytes.
    """
    found = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(found, bytes) or not found:
        raise UserError(f"{where}: the image has no bytes, expected a PNG or JPEG")
    return found


def plain_name(value: Any, column: str, where: str) -> str:
    """Return a cell that can begin a file name, or raise a UserError."""
    name = str(value)
    if value is None or not name or not all(c.isalnum() or c in "_-." for c in name):
        raise UserError(
            f"{where}: {column} is {value!r}, expected letters, digits, and the characters - . _"
        )
    return name


def text_list(value: Any, column: str, where: str) -> list[str]:
    """Return a cell as a list of texts, or raise a UserError."""
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise UserError(f"{where}: {column} is {str(value)[:40]!r}, expected a list of texts")
    return value


def whole_number(value: Any, column: str, where: str) -> int:
    """Return a cell as a whole number, or raise a UserError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{where}: {column} is {value!r}, expected a whole number")
    return value
