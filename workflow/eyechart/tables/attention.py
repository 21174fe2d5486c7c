"""The tables of where a model looks when it answers, and of what its blocks would already say.

``attention.parquet`` has a row per item, block, head and region; ``lens.parquet`` a row per item,
block and place; ``words.parquet`` the words that each image token is nearest to; ``maps.parquet``
the attention on each image token, of the few items that are drawn; ``summary.parquet`` means with
intervals. A table that a family cannot fill has no rows, and its metadata say why (``reason``).
"""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from eyechart.tables.parquet import read_table, write_table

WHOLE = ""  # the region of rows about the whole picture
ROLES = ("picture", "reference", "right", "wrong", "other")
ANSWER = "answer"  # the place of the lens from which the answer goes on

_ITEM = [
    ("model", pa.string()),
    ("dataset", pa.string()),
    ("item_id", pa.string()),
    ("task", pa.string()),
    ("group", pa.string()),
    ("address", pa.string()),
]

ATTENTION = pa.schema(
    [
        *_ITEM,
        ("head", pa.int32()),
        ("region", pa.string()),
        ("role", pa.string()),
        ("control", pa.bool_()),
        ("image_mass", pa.float32()),
        ("mass", pa.float32()),
        ("area", pa.float32()),
        ("ratio", pa.float32()),
    ]
)

LENS = pa.schema(
    [
        *_ITEM,
        ("place", pa.string()),
        ("role", pa.string()),
        ("log_probability", pa.list_(pa.float64())),
        ("p_right", pa.float64()),
        ("predicted", pa.string()),
        ("rank", pa.int32()),
        ("word", pa.string()),
        ("final", pa.string()),
        ("first_layer", pa.int32()),
    ]
)

WORDS = pa.schema(
    [
        *_ITEM,
        ("rank", pa.int32()),
        ("words", pa.list_(pa.string())),
        ("log_probability", pa.list_(pa.float32())),
    ]
)

MAPS = pa.schema(
    [
        *_ITEM,
        ("image_id", pa.string()),
        ("number", pa.int32()),
        ("attention", pa.list_(pa.float32())),
        ("places", pa.list_(pa.list_(pa.float32(), 7))),
    ]
)

SUMMARY = pa.schema(
    [
        ("model", pa.string()),
        ("dataset", pa.string()),
        ("task", pa.string()),
        ("metric", pa.string()),
        ("role", pa.string()),
        ("address", pa.string()),
        ("head", pa.int32()),
        ("value", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("chance", pa.float64()),
        ("control", pa.float64()),
        ("difference", pa.float64()),
        ("difference_low", pa.float64()),
        ("difference_high", pa.float64()),
        ("p", pa.float64()),
        ("q", pa.float64()),
        ("n", pa.int32()),
        ("groups", pa.int32()),
    ]
)


def write_noted(path: Path, table: pa.Table, notes: Mapping[str, str]) -> None:
    """Write a table with notes in its metadata: ``reason`` for no rows, ``note`` for fewer."""
    kept = {name: text for name, text in notes.items() if text}
    write_table(path, table.replace_schema_metadata(kept))


def read_noted(path: Path, schema: pa.Schema) -> tuple[pa.Table, dict[str, str]]:
    """Read a table's columns and its notes.

    Raises
    ------
    UserError
        If the file is missing, is no whole Parquet file, or lacks a column.
    """
    table = read_table(path, schema.names)
    found = pq.read_schema(path).metadata or {}
    return table, {key.decode(): text.decode() for key, text in found.items()}
