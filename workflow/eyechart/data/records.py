"""Read tables with images from CSV, JSON Lines, Parquet or Arrow; each row knows its location.

Snakemake imports this module at parse time, so pyarrow is imported only where it is used.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eyechart.core.errors import UserError, lacks, nearest, shorter, shown
from eyechart.core.files import parse_json, read

if TYPE_CHECKING:
    import pyarrow as pa

_LONGEST = 1 << 24  # characters per cell; captions and programs are far shorter
_MOST_BYTES = 1 << 28  # of a text table, which is read at once
_MOST_LINES = 5_000_000  # many minutes; CRLF counts twice
_ROWS = 64  # rows per batch; cells may hold whole images
_MOST_COLUMNS = 1_000
_MOST_TIMES = 100  # unpacked size of a Parquet file, relative to the file size, as for an archive
_ROW_BYTES = 16  # minimum overhead of a row besides its cells
_SMALL = 1 << 17  # bytes; smaller files are harmless when unpacked


class Record(NamedTuple):
    """One row: ``values`` by column, and its location ``where`` for error messages."""

    where: str
    values: dict[str, Any]


Rows = Callable[[list[str]], Iterator[Record]]  # called with the requested columns
Reader = tuple[list[str], Rows]
SchemaOf = Callable[[Path], "pa.Schema"]
Batches = Callable[[Path, list[str]], "Iterator[pa.RecordBatch]"]


def read_csv(path: Path, delimiter: str = ",", strict: bool = True) -> list[Record]:
    """Read a delimited text table with a header, in UTF-8 with or without a byte order mark.

    Names and cells are stripped of surrounding blanks; empty lines are skipped. ``strict``: whether
    a misplaced double quote is an error. Raise a UserError if the file is missing, empty or not
    UTF-8, the header has a duplicate name, or a row has more or fewer cells than the header.
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

    Raise a UserError if the file is missing, empty or not UTF-8, or a line is not a JSON object.
    """
    records = [Record(where, _object(where, line)) for where, line in _lines(path)]
    if not records:
        raise UserError(f"{path}: no rows, expected at least one line of JSON")
    return records


def read_parquet(paths: list[Path]) -> Reader:
    """Return the columns of Parquet files with one schema, and a function that iterates over rows.

    Both raise a UserError if a file is missing, truncated or damaged.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415

    return _open(paths, pq.read_schema, _parquet_batches)


def read_arrow(paths: list[Path]) -> Reader:
    """Return the columns of Arrow streams, and a function that iterates over rows; see Parquet."""
    from eyechart.data import arrow_stream  # noqa: PLC0415

    return _open(paths, arrow_stream.read_schema, arrow_stream.read_batches)


def read_rows(path: Path, columns: list[str], optional: tuple[str, ...] = ()) -> Iterator[Record]:
    """Yield the rows of a Parquet file with these columns, and the ``optional`` ones that exist.

    Raise a UserError if the file is missing or damaged, or lacks a column.
    """
    present, rows = read_parquet([path])
    _check_columns(columns, present, path)
    yield from rows([*columns, *(name for name in optional if name in present)])


def require(records: Iterable[Record], columns: Iterable[str], path: Path) -> None:
    """Raise a UserError that names the first column missing in all rows, and the nearest name."""
    _check_columns(columns, {name for record in records for name in record.values}, path)


def positive(record: Record, column: str) -> int:
    """Return a cell as a positive integer, or raise a UserError that names the row."""
    text = record.values[column]
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise UserError(f"{record.where}: {column} is {text!r}, expected a number above 0")
    return int(text)


def image_bytes(value: Any, where: str) -> bytes:
    """Return the bytes of an image cell, or raise a UserError if it has none."""
    found = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(found, bytes) or not found:
        raise UserError(f"{where}: the image has no bytes, expected a PNG or JPEG")
    return found


def plain_name(value: Any, column: str, where: str) -> str:
    """Return a cell that can start a file name, or raise a UserError."""
    name = str(value)
    if value is None or not name or not all(c.isalnum() or c in "_-." for c in name):
        raise UserError(
            f"{where}: {column} is {value!r}, expected letters, digits, and the characters - . _"
        )
    return name


def text_list(value: Any, column: str, where: str) -> list[str]:
    """Return a cell as a list of strings, or raise a UserError."""
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise UserError(f"{where}: {column} is {str(value)[:40]!r}, expected a list of strings")
    return value


def whole_number(value: Any, column: str, where: str) -> int:
    """Return a cell as a whole number, or raise a UserError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{where}: {column} is {value!r}, expected a whole number")
    return value


def _text(path: Path) -> str:
    try:
        if (size := Path(path).stat().st_size) > _MOST_BYTES:
            raise UserError(f"{path}: {size} bytes, expected at most 256 MiB; save it as Parquet")
        data = read(path)
        if (lines := data.count(b"\n") + data.count(b"\r")) > _MOST_LINES:
            raise UserError(f"{path}: {lines} lines, expected at most {_MOST_LINES}")
        if (at := data.find(0)) >= 0:  # of UTF-16, or of a damaged file
            raise UnicodeDecodeError("utf-8", data, at, at + 1, "")
        return data.decode("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}: line {line}: byte 0x{error.object[error.start]:02x} is not UTF-8 "
            "text; save the file as UTF-8 and run again"
        ) from None


def _header(row: list[str], where: str) -> list[str]:
    while not row[-1]:
        row.pop()  # spreadsheets leave an empty cell after the last column
    if len(row) > _MOST_COLUMNS:
        raise UserError(f"{where}: {len(row)} columns, expected at most {_MOST_COLUMNS}")
    for name in row:
        if row.count(name) > 1 or not name:
            fault = "occurs twice" if name else "has no name"
            header = shorter(", ".join(row), 120)
            raise UserError(f"{where}: column {shown(name)} {fault} in the header ({header})")
    return row


def _fit(row: list[str], header: list[str], where: str) -> dict[str, str]:
    while len(row) > len(header) and not row[-1]:
        row.pop()
    if len(row) != len(header):
        raise UserError(
            f"{where}: {len(row)} cells, expected {len(header)} ({shorter(', '.join(header))}); "
            "put a cell that holds a comma or a tab between double quotes"
        )
    return dict(zip(header, row, strict=True))


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    # not splitlines: JSON strings may contain U+2028 and similar characters
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip():
            yield f"{path}: line {number}", line


def _object(where: str, line: str) -> dict[str, Any]:
    found = parse_json(line.encode(), where, unique=True)
    if not isinstance(found, dict):
        raise UserError(f"{where}: {line.strip()[:40]!r} is not a JSON object, expected {{…}}")
    return found


def _check_columns(columns: Iterable[str], present: Iterable[str], path: Path) -> None:
    for column in columns:
        if column not in present:
            raise UserError(f"{path}: column {column!r} is missing; {nearest(column, present)}")


def _open(paths: list[Path], schema_of: SchemaOf, batches: Batches) -> Reader:
    def records(wanted: list[str]) -> Iterator[Record]:
        for path in paths:
            present, names = _schema(path, schema_of)
            _check_columns(wanted, present, path)
            with _whole(path):
                rows = (row for batch in batches(path, wanted) for row in batch.to_pylist())
                for number, row in enumerate(rows, 1):
                    values = {k: _named(v, names[k]) if k in names else v for k, v in row.items()}
                    yield Record(f"{path}: row {number}", values)

    return _schema(paths[0], schema_of)[0], records


def _schema(path: Path, schema_of: SchemaOf) -> tuple[list[str], dict[str, list[str]]]:
    """Return the columns of a file, and the class names of those that are a ClassLabel."""
    with _whole(path):
        if path.exists() and not path.is_file():
            raise UserError(f"{path}: is not a file")
        schema = schema_of(path)
        columns = list(schema.names)  # decodes them
    if len(columns) > _MOST_COLUMNS:
        raise UserError(f"{path}: {len(columns)} columns, expected at most {_MOST_COLUMNS}")
    for name in columns:
        if columns.count(name) > 1:
            raise UserError(f"{path}: column {shown(name)} occurs twice")
    return columns, _class_names(schema, f"{path}: its metadata 'huggingface'")


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    import pyarrow as pa  # noqa: PLC0415

    kind = "Arrow" if path.suffix == ".arrow" else "Parquet"
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (pa.ArrowException, OSError) as error:
        if lacks(error):
            raise
        raise UserError(
            f"{path}: truncated or damaged, not a complete {kind} file ({shorter(error)})"
        ) from None
    except (OverflowError, ValueError) as error:  # of Arrow, while converting a value
        raise UserError(f"{path}: has a value that cannot be read ({shorter(error)})") from None


def _parquet_batches(path: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq  # noqa: PLC0415

    from eyechart.tables.parquet import unpacked_bytes  # noqa: PLC0415

    most, unpacked = _MOST_TIMES * max(path.stat().st_size, _SMALL), 0
    advice = "get the table from a source that you trust"
    too_much = UserError(f"{path}: unpacks to more than {_MOST_TIMES} times its size; {advice}")
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        if unpacked_bytes(file, columns) > most:
            raise too_much
        for batch in file.iter_batches(batch_size=_ROWS, columns=columns):
            if (unpacked := unpacked + batch.nbytes + batch.num_rows * _ROW_BYTES) > most:
                raise too_much
            yield batch


def _class_names(schema: pa.Schema, where: str) -> dict[str, list[str]]:
    """Return the class names of every column that is a ClassLabel of the datasets library."""
    features = parse_json((schema.metadata or {}).get(b"huggingface", b"{}"), where)
    for key in ("info", "features"):
        features = features.get(key) if isinstance(features, dict) else None
    return {
        name: feature["names"]
        for name, feature in (features.items() if isinstance(features, dict) else ())
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        if isinstance(feature.get("names"), list)
    }


def _named(value: Any, names: list[str]) -> Any:
    # the library writes -1 for an unknown label
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else None
