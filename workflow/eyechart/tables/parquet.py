"""Parquet tables with fixed writer options, so that equal rows give equal bytes.

Every page has a checksum, which is verified on every read.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from eyechart.core.errors import UserError, lacks
from eyechart.core.files import atomic

WRITTEN = {"compression": "zstd", "write_statistics": False, "write_page_checksum": True}
MOST_CHARACTERS = 120  # of Arrow's message about a damaged file


def schema(*columns: str | pa.Field) -> pa.Schema:
    """Return a schema; each argument lists columns of one type: their names, then the type.

    >>> schema("id group: string", "weights: list of float32").types
    [DataType(string), DataType(string), ListType(list<item: float>)]
    """
    fields = []
    for one in columns:
        names, _, kind = one.partition(": ") if isinstance(one, str) else ("", "", "")
        fields += [pa.field(name, _type(kind)) for name in names.split()] if names else [one]
    return pa.schema(fields)


def _type(name: str) -> pa.DataType:
    if name.startswith("list of "):
        return pa.list_(_type(name.removeprefix("list of ")))
    kind, _, size = name.removesuffix("]").partition("[")
    return pa.list_(_type(kind), int(size)) if size else pa.type_for_alias(kind)


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table atomically: zstd, plain encoding for floats, dictionaries for strings."""
    strings = [field.name for field in table.schema if pa.types.is_string(field.type)]
    with atomic(path) as partial:
        pq.write_table(table, partial, use_dictionary=strings, row_group_size=1 << 16, **WRITTEN)


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Load a table, or some of its columns.

    Raise a UserError if the file is missing, is not a complete Parquet file, or lacks a column.
    """
    with opened(path, columns or ()) as parquet:
        return parquet.read(columns=columns)


def read_batches(path: Path, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield batches of at most ``rows`` rows of some columns; errors as in ``read_table``.

    One stored row group is in memory at a time.
    """
    with opened(path, columns) as parquet:
        yield from parquet.iter_batches(rows, columns=columns)


def read_notes(path: Path) -> dict[bytes, bytes]:
    """Load the notes in a table's metadata; errors as in ``read_table``."""
    with opened(path) as parquet:
        found = dict(parquet.metadata.metadata or {})  # including metadata added after the schema
    found.pop(b"ARROW:schema", None)
    return found


def unpacked_bytes(file: pq.ParquetFile, columns: Iterable[str]) -> int:
    """Return the size of some columns when decompressed, according to the file's own metadata."""
    wanted = set(columns)
    groups = (file.metadata.row_group(n) for n in range(file.num_row_groups))
    chunks = (group.column(n) for group in groups for n in range(group.num_columns))
    sizes = (c.total_uncompressed_size for c in chunks if c.path_in_schema.split(".")[0] in wanted)
    return sum(sizes)


@contextmanager
def opened(path: Path, columns: Iterable[str] = ()) -> Iterator[pq.ParquetFile]:
    """Yield an open file; raise a UserError if it is missing, lacks a column or is damaged."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
            if absent := set(columns) - set(parquet.schema_arrow.names):
                raise UserError(f"{path}: column {min(absent)!r} is missing")
            yield parquet
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (pa.ArrowException, OSError) as error:
        if lacks(error):
            raise
        reason = " ".join(str(error).split())[:MOST_CHARACTERS]
        raise UserError(
            f"{path}: damaged, not a complete Parquet file ({reason}); run `snakemake verify`, "
            "then run again"
        ) from None
