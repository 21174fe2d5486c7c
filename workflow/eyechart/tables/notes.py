"""Notes in the metadata of a table: why it has no rows, or fewer than possible.

``reason`` states why there are none; ``note`` states in sentences what is omitted.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa

from eyechart.tables.parquet import read_notes, read_table, write_table


def count_notes(reason: str, counts: Mapping[str, int]) -> dict[str, str]:
    """Return the notes of a table: why it has no rows, and the number of items each note is about.

    A note about the whole model has count 0. ``counts`` is stored as JSON, for :func:`join_notes`.
    """
    counted = [what + (f" ({count} x)" if count else "") for what, count in counts.items()]
    return {
        "reason": reason,
        "note": "; ".join(counted),
        "counts": json.dumps(counts) if counts else "",
    }


def join_notes(notes: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the notes of a table from the notes of its parts."""
    every, counts = list(notes), Counter[str]()
    for one in every:
        counts.update(json.loads(one.get("counts") or "{}"))
    return count_notes(next((n["reason"] for n in every if n.get("reason")), ""), counts)


def write_noted(path: Path, table: pa.Table, notes: Mapping[str, str]) -> None:
    """Write a table with notes in its metadata: ``reason`` for no rows, ``note`` for fewer rows."""
    kept = {name: text for name, text in notes.items() if text}
    write_table(path, table.replace_schema_metadata(kept))


def read_noted(path: Path, schema: pa.Schema) -> tuple[pa.Table, dict[str, str]]:
    """Load a table's columns and its notes.

    Raise a UserError if the file is missing, is not a complete Parquet file, or lacks a column.
    """
    return read_table(path, schema.names), notes_of(path)


def notes_of(path: Path) -> dict[str, str]:
    """Return the notes of a table."""
    found = read_notes(path).items()
    return {key.decode(): text.decode() for key, text in found}
