"""Parquet tables with fixed writer options, so that equal rows are equal bytes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from eyechart.core.errors import UserError
from eyechart.core.files import atomic


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table atomically: zstd, plain encoding for floats, dictionaries for strings."""
    strings = [field.name for field in table.schema if pa.types.is_string(field.type)]
    with atomic(path) as partial:
        pq.write_table(
            table,
            partial,
            compression="zstd",
            use_dictionary=strings,
            write_statistics=False,
            row_group_size=1 << 16,
        )


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Load a table, or some of its columns.

    Raise a UserError if the file is missing, is not a complete Parquet file, or lacks a column.
    """
    try:
        parquet = pq.ParquetFile(path)
        absent = set(columns or ()) - set(parquet.schema_arrow.names)
        if absent:
            raise UserError(f"{path}: column {min(absent)!r} is missing")
        return parquet.read(columns=columns)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{path}: not a complete Parquet file ({error}); delete it and run again"
        ) from None
