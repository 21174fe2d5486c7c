"""Every page of Parquet files has a checksum; damage raises an error, not wrong numbers."""

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from eyechart.core.errors import UserError
from eyechart.tables.parquet import read_notes, read_table, write_table


@pytest.fixture
def table() -> pa.Table:
    """Return numbers that do not compress, so nearly every bit belongs to a number."""
    rng = np.random.default_rng(0)
    names = [f"item-{n}" for n in rng.integers(0, 10**9, 2000)]
    return pa.table({"id": names, "value": rng.random(2000)}).replace_schema_metadata({"a": "b"})


def test_none_of_500_flipped_bits_changes_a_value(tmp_path: Path, table: pa.Table) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, table)
    whole, chance = path.read_bytes(), random.Random(0)
    refused = 0
    for _ in range(500):
        content = bytearray(whole)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        try:
            assert read_table(path, ["id", "value"]).equals(table)
        except UserError as error:
            refused += 1
            assert str(error).startswith(f"{path}: damaged, not a complete Parquet file (")
            assert len(str(error)) < 300 + len(str(path)) and "\n" not in str(error)
    assert refused > 450


def test_notes_of_a_damaged_or_missing_file_are_a_one_sentence_error(
    tmp_path: Path, table: pa.Table
) -> None:
    path = tmp_path / "table.parquet"
    with pytest.raises(UserError, match="no such file"):
        read_notes(path)
    write_table(path, table)
    assert read_notes(path)[b"a"] == b"b"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="damaged, not a complete Parquet file"):
        read_notes(path)
