"""Read Arrow streams in the form that ``save_to_disk`` of the datasets library writes.

Arrow trusts lengths and offsets in a file, so a damaged one could end the process or show other
parts of its memory. Here, every batch is validated before it is read. Compressed buffers are
refused, and so are types that repeat values, since a small file could expand without limit.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from eyechart.core.errors import UserError, shown

_END = b"\xff\xff\xff\xff\0\0\0\0"  # the last bytes of a complete stream
_HEADER, _COMPRESSION = 2, 3  # numbers of fields in Arrow's Message and RecordBatch
_ROWS = 64  # rows per batch; cells may hold whole images
_MOST_VALUES = 100  # per byte of the file; columns of null take no bytes


def read_schema(path: Path) -> pa.Schema:
    """Return the schema of a stream."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_stream(source).schema


def read_batches(path: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield small batches of some columns.

    Raise a UserError, or an ArrowException, if the file is incomplete, damaged or of another form.
    """
    schema, left = read_schema(path), _MOST_VALUES * path.stat().st_size
    for name in columns:
        if not _is_plain(schema.field(name).type):
            kind = shown(str(schema.field(name).type))
            raise UserError(f"{path}: column {shown(name)} has the type {kind}; save it as Parquet")
    with pa.memory_map(str(path)) as source:
        for message in pa.ipc.MessageReader.open_stream(source):
            if message.type == "schema":
                continue
            if message.type != "record batch" or _is_packed(message.metadata.to_pybytes()):
                raise UserError(
                    f"{path}: is compressed; save it as Parquet, or without compression"
                )
            batch = pa.ipc.read_record_batch(message, schema).select(columns)
            batch.validate(full=True)
            left -= sum(map(_values, batch.columns))
            if left < 0:
                raise UserError(f"{path}: has more than {_MOST_VALUES} values per byte of the file")
            for start in range(0, batch.num_rows, _ROWS):
                yield batch.slice(start, _ROWS)
        at_end = source.tell() == source.size()
        source.seek(max(source.size() - len(_END), 0))
        if not at_end or source.read() != _END:
            raise pa.ArrowInvalid("the end of the stream is missing")


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return all(_is_plain(field.type) for field in kind)
    if isinstance(kind, pa.ListType | pa.LargeListType | pa.FixedSizeListType):
        return _is_plain(kind.value_type)
    texts = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.null())
    return kind in texts or pa.types.is_primitive(kind) or pa.types.is_decimal(kind)


def _values(array: pa.Array) -> int:
    """Return the number of values in an array, with those in its lists and structures."""
    if pa.types.is_struct(array.type):
        return len(array) + sum(map(_values, array.flatten()))
    nested = isinstance(array, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray)
    return len(array) + (_values(array.flatten()) if nested else 0)


def _is_packed(message: bytes) -> bool:
    """Return whether a record batch has compressed buffers, which pyarrow does not report."""
    (table,) = struct.unpack_from("<I", message)
    header = _field(message, table, _HEADER)
    (offset,) = struct.unpack_from("<I", message, header)
    return _field(message, header + offset, _COMPRESSION) > 0


def _field(message: bytes, table: int, number: int) -> int:
    """Return the position of a field of a FlatBuffers table, or 0 if it is absent."""
    (back,) = struct.unpack_from("<i", message, table)
    (size,) = struct.unpack_from("<H", message, table - back)
    at = 4 + 2 * number
    (offset,) = struct.unpack_from("<H", message, table - back + at) if at < size else (0,)
    return table + offset if offset else 0
