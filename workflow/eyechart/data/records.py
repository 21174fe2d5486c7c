"""Read CSV and JSON Lines tables that come with images; each row knows its location."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from eyechart.core.errors import UserError, nearest

_LONGEST = 1 << 24  # characters per cell; captions and programs are far shorter


class Record(NamedTuple):
    """One row: ``values`` by column, and its location ``where`` for error messages."""

    where: str
    values: dict[str, Any]


def read_csv(path: Path, delimiter: str = ",", strict: bool = True) -> list[Record]:
    """Read a delimited text table with a header, in UTF-8 with or without a byte order mark.

    Names and cells are stripped of surrounding blanks; empty lines are skipped.

    Parameters
    ----------
    path : Path
        The file.
    delimiter : str
        Separator of cells.
    strict : bool
        Whether a misplaced double quote is an error.

    Raises
    ------
    UserError
        If the file is missing, empty or not UTF-8, the header has a duplicate name, or a row has
        more or fewer cells than the header.
    """
    csv.field_size_limit(_LONGEST)
    lines = io.StringIO(_text(path), newline="")
    reader = csv.reader(lines, delimiter=delimiter, strict=strict)
    records: list[Record] = []
    header: list[str] = []
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells]
            if not any(row):
                continue
            where = f"{path}: line {reader.line_num}"
            if header:
                records.append(Record(where, _fit(row, header, where)))
            else:
                header = _header(row, where)
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: not CSV ({error})") from None
    if not records:
        raise UserError(f"{path}: no rows, expected a header and at least one row")
    return records


def read_jsonl(path: Path) -> list[Record]:
    """Read JSON Lines: one object per line; empty lines are skipped.

    Raises
    ------
    UserError
        If the file is missing, empty or not UTF-8, or a line is not a JSON object.
    """
    records = [Record(where, _object(where, line)) for where, line in _lines(path)]
    if not records:
        raise UserError(f"{path}: no rows, expected at least one line of JSON")
    return records


def require(records: Iterable[Record], columns: Iterable[str], path: Path) -> None:
    """Raise a UserError that names the first column missing in all rows, and the nearest name."""
    present = {name for record in records for name in record.values}
    for column in columns:
        if column not in present:
            raise UserError(f"{path}: column {column!r} is missing; {nearest(column, present)}")


def positive(record: Record, column: str) -> int:
    """Return a cell as a positive integer, or raise a UserError that names the row."""
    text = record.values[column]
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise UserError(f"{record.where}: {column} is {text!r}, expected a number above 0")
    return int(text)


def _text(path: Path) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}: line {line}: byte 0x{error.object[error.start]:02x} is not UTF-8; save the "
            "file as UTF-8 and run again"
        ) from None


def _header(row: list[str], where: str) -> list[str]:
    while not row[-1]:
        row.pop()  # spreadsheets leave an empty cell after the last column
    for name in row:
        if row.count(name) > 1 or not name:
            fault = "occurs twice" if name else "has no name"
            raise UserError(f"{where}: column {name!r} {fault} in the header ({', '.join(row)})")
    return row


def _fit(row: list[str], header: list[str], where: str) -> dict[str, str]:
    while len(row) > len(header) and not row[-1]:
        row.pop()
    if len(row) != len(header):
        raise UserError(
            f"{where}: {len(row)} cells, expected {len(header)} ({', '.join(header)}); put a cell "
            "that holds a comma or a tab between double quotes"
        )
    return dict(zip(header, row, strict=True))


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    # not splitlines: JSON strings may contain U+2028 and similar characters
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip():
            yield f"{path}: line {number}", line


def _object(where: str, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not valid JSON ({error.msg}, column {error.colno})") from None
    if not isinstance(found, dict):
        raise UserError(f"{where}: {line.strip()[:40]!r} is not a JSON object, expected {{…}}")
    return found
