"""Write an activation shard; rows arrive in any order and are written by id in bounded memory."""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from eyechart.core.address import REGION_SPANS
from eyechart.core.errors import UserError
from eyechart.core.files import atomic
from eyechart.core.threads import thread_pool
from eyechart.models.addresses import Column
from eyechart.tables.activations import DROPPED, ID, PLACES, column, part_schema
from eyechart.tables.parquet import WRITTEN

ROW_GROUP_BYTES = 1 << 26  # rows are buffered until a row group of 64 MiB is full
METADATA = b"eyechart"

Values = Mapping[str, Sequence[np.ndarray] | np.ndarray]


class Shard:
    """An open shard; create it with :func:`open_shard`."""

    def __init__(self, writer: pq.ParquetWriter, id_name: str, ids: list[str], dtype: str) -> None:
        self.writer, self.id_name, self.ids, self.dtype = writer, id_name, ids, np.dtype(dtype)
        self.pool = thread_pool(1, "write")
        self.writing: Future[None] | None = None
        self.dropped: dict[str, str] = {}  # ids of rows left out, with the reason
        self.due = list(range(len(ids)))  # row numbers still to be written, in order
        self.rows: list[np.ndarray] = []  # buffered row numbers, per batch
        self.values: list[Values] = []
        self.fresh = 0  # bytes added since the last flush

    def add(self, rows: Sequence[int], values: Values) -> None:
        """Add the values of some rows: an array (b, d) or b arrays (tokens, d) per column.

        Raise a UserError if a value is NaN, or infinite in the shard's precision.
        """
        cast = {name: self._cast(name, value, rows) for name, value in values.items()}
        self.rows.append(np.asarray(rows, dtype=np.int64))
        self.values.append(cast)
        self.fresh += sum(size(value) for value in cast.values())
        if self.fresh >= ROW_GROUP_BYTES:
            self.flush()

    def drop(self, reasons: Mapping[int, str]) -> None:
        """Leave out rows; the reasons are stored with the table."""
        self.dropped |= {self.ids[row]: why for row, why in reasons.items()}
        self.due = [row for row in self.due if row not in reasons] if reasons else self.due

    def flush(self) -> None:
        """Pass all buffered rows whose ids come next to the writing thread."""
        if not self.rows:
            return
        rows = np.concatenate(self.rows)
        order = np.argsort(rows, kind="stable")
        gap = np.flatnonzero(rows[order] != self.due[: len(rows)])
        ready = int(gap[0]) if len(gap) else len(rows)
        joined = {name: join([v[name] for v in self.values]) for name in self.values[0]}
        later = order[ready:]
        self.rows, self.values = [rows[later]], [{n: take(v, later) for n, v in joined.items()}]
        self.fresh = 0
        if ready:
            now = {name: take(value, order[:ready]) for name, value in joined.items()}
            ids = [self.ids[row] for row in self.due[:ready]]
            self.wait()  # at most one row group is written while the next is filled
            self.writing = self.pool.submit(self._write, ids, now)
            self.due = self.due[ready:]

    def wait(self) -> None:
        """Wait for the writing thread; raise its error, if any."""
        if self.writing is not None:
            self.writing.result()
            self.writing = None

    def _cast(self, name: str, value: Any, rows: Sequence[int]) -> Any:
        if name.endswith(f"/{PLACES}"):  # always float32; NaN means no position
            return value
        if not isinstance(value, np.ndarray):
            pairs = zip(value, rows, strict=True)
            return [self._cast(name, part[None], [row])[0] for part, row in pairs]
        with np.errstate(over="ignore"):
            cast = value.astype(self.dtype)
        finite = np.isfinite(cast)
        if not finite.all() and name.endswith(REGION_SPANS):
            # null for an item without such a region
            finite |= np.isnan(value).all(axis=1, keepdims=True)
        if not finite.all():
            bad = int(np.argwhere(~finite)[0, 0])
            kind = f"too large for {self.dtype}" if np.isfinite(value[bad]).all() else "NaN"
            raise UserError(
                f"{name}: {kind} in the activations of {self.ids[rows[bad]]!r}, "
                "expected finite numbers"
            )
        return cast

    def _write(self, ids: list[str], values: Values) -> None:
        arrays = [pa.array(ids, pa.string()), *(arrow(*pair) for pair in values.items())]
        names = [self.id_name, *values]
        table = pa.table(dict(zip(names, arrays, strict=True)))
        self.writer.write_table(
            table.select(self.writer.schema.names).cast(self.writer.schema), max(1, len(ids))
        )


@contextmanager
def open_shard(
    path: Path, ids: list[str], columns: Sequence[Column], dtype: str, metadata: dict[str, Any]
) -> Iterator[Shard]:
    """Open a shard for writing; the file gets its name only once it is complete.

    Parameters
    ----------
    ids : sorted ids of all rows; row numbers are indices into this list
    dtype : ``float16`` or ``float32``
    metadata : stored in the file as JSON under the key ``eyechart``; its ``scope`` determines the
        id column, and its ``places`` the stored token boxes and the columns that each belongs to
    """
    id_name = ID[metadata["scope"]]
    widths = {c.name: c.address.width for c in columns}
    schema = part_schema(metadata["scope"], widths, dtype, sorted(metadata.get("places", {})))
    schema = schema.with_metadata({METADATA: json.dumps(metadata, sort_keys=True)})
    with atomic(path) as partial:
        with pq.ParquetWriter(partial, schema, use_dictionary=[id_name], **WRITTEN) as writer:
            shard = Shard(writer, id_name, ids, dtype)
            with shard.pool:
                yield shard
                if not columns:
                    shard.add(shard.due, {})
                shard.flush()
                shard.wait()
                dropped = json.dumps(shard.dropped, sort_keys=True, ensure_ascii=False)
                writer.add_key_value_metadata({DROPPED: dropped})
        if shard.due:
            raise RuntimeError(f"{path}: {len(ids) - len(shard.due)} of {len(ids)} rows written")


def arrow(name: str, value: Any) -> pa.Array:
    """Return the Arrow column ``name`` from an array (n, d) or n arrays (tokens, d)."""
    if isinstance(value, np.ndarray):
        return column(value, name)
    offsets = np.cumsum([0, *(len(part) for part in value)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), column(np.concatenate(value)))


def join(parts: Sequence[Any]) -> Any:
    """Join batches of one column."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return [row for part in parts for row in part]


def size(value: Any) -> int:
    """Return a column's size in bytes."""
    return sum(part.nbytes for part in ([value] if isinstance(value, np.ndarray) else value))


def take(value: Any, rows: np.ndarray | Sequence[int]) -> Any:
    """Return some rows of one column."""
    return value[rows] if isinstance(value, np.ndarray) else [value[row] for row in rows]
