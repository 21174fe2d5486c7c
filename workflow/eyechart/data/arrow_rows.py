"""Read rows of Parquet and Arrow files as Python values, batch by batch, with class names."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from eyechart.core.errors import UserError
from eyechart.data.records import Record

_ROWS = 64  # rows per batch; cells may hold whole images
Rows = Callable[[list[str]], Iterator[Record]]  # takes the wanted columns
Reader = tuple[list[str], Rows]


def read_parquet(paths: list[Path]) -> Reader:
    """Return the columns of Parquet files with one schema, and a function that iterates the rows.

    Raises
    ------
    UserError
        If a file is missing, truncated or damaged; raised on opening or while rows are read.
    """
    return _open(paths, pq.read_schema, _parquet_batches)


def read_arrow(paths: list[Path]) -> Reader:
    """Return the columns of Arrow streams with one schema, and a function that iterates the rows.

    Raises
    ------
    UserError
        If a file is missing, truncated or damaged; raised on opening or while rows are read.
    """
    return _open(paths, _arrow_schema, _arrow_batches)


Batches = Callable[[Path, list[str]], Iterator[pa.RecordBatch]]


def _open(paths: list[Path], schema_of: Callable[[Path], pa.Schema], batches: Batches) -> Reader:
    with _whole(paths[0]):
        schema = schema_of(paths[0])
    names = _class_names(schema)

    def records(columns: list[str]) -> Iterator[Record]:
        for path in paths:
            with _whole(path):
                rows = (row for batch in batches(path, columns) for row in batch.to_pylist())
                for number, row in enumerate(rows, 1):
                    values = {k: _named(v, names[k]) if k in names else v for k, v in row.items()}
                    yield Record(f"{path}: row {number}", values)

    return list(schema.names), records


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    kind = "Arrow" if path.suffix == ".arrow" else "Parquet"
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path}: truncated or damaged, not a complete {kind} file ({reason})"
        ) from None


def _parquet_batches(path: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=_ROWS, columns=columns)


def _arrow_batches(path: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    for batch in pa.ipc.open_stream(pa.memory_map(str(path))):
        wanted = batch.select(columns)
        for start in range(0, batch.num_rows, _ROWS):
            yield wanted.slice(start, _ROWS)


def _arrow_schema(path: Path) -> pa.Schema:
    return pa.ipc.open_stream(pa.memory_map(str(path))).schema


def _class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Return the class names of every column that is a ClassLabel of the datasets library."""
    metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = metadata.get("info", {}).get("features", {})
    return {
        name: feature["names"]
        for name, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        if feature.get("names")
    }


def _named(value: int | None, names: list[str]) -> str | None:
    # the library writes -1 for an unknown label
    return None if value is None or not 0 <= value < len(names) else names[value]
