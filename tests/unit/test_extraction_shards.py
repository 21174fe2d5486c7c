"""Shards contain every row in its place, or do not exist."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from eyechart.core.errors import UserError
from eyechart.extraction import shards
from eyechart.extraction.shards import open_shard
from eyechart.models.addresses import Address, Column

PLACE = Address("lm.0", "m", "lm", 4, {"last": "item", "image_tokens": "item"})
LAST, TOKENS = Column(PLACE, "last"), Column(PLACE, "image_tokens")
IDS = [f"i{n:02}" for n in range(10)]
META = {"scope": "item"}


def batch(rows):
    means = np.stack([np.full(4, r, dtype=np.float32) for r in rows])
    return {"lm.0/last": means, "lm.0/image_tokens": [np.ones((r + 1, 4), "f4") * r for r in rows]}


@pytest.mark.parametrize("group_bytes", [1, 300, 1 << 26])
def test_rows_arrive_in_any_order_and_are_written_by_id(tmp_path, monkeypatch, group_bytes):
    monkeypatch.setattr(shards, "ROW_GROUP_BYTES", group_bytes)
    with open_shard(tmp_path / "a.parquet", IDS, [LAST, TOKENS], "float32", META) as shard:
        for rows in ([3, 0], [1, 2, 9], [5], [8, 7, 6, 4]):
            shard.add(rows, batch(rows))
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.column("item_id").to_pylist() == IDS
    assert table.column("lm.0/last").to_pylist() == [[float(n)] * 4 for n in range(10)]
    assert table.column("lm.0/image_tokens").to_pylist() == [
        [[float(n)] * 4] * (n + 1) for n in range(10)
    ]


def test_rows_are_written_before_all_have_arrived(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "ROW_GROUP_BYTES", 1)
    with open_shard(tmp_path / "a.parquet", IDS, [LAST], "float32", META) as shard:
        for row in range(10):
            shard.add([row], {"lm.0/last": batch([row])["lm.0/last"]})
            assert shard.due == list(range(row + 1, 10))
            assert len(shard.rows[0]) == 0


def test_an_incomplete_shard_never_gets_its_final_name(tmp_path):
    with (
        pytest.raises(RuntimeError, match="9 of 10 rows"),
        open_shard(tmp_path / "a.parquet", IDS, [LAST], "float16", META) as shard,
    ):
        shard.add(range(9), {"lm.0/last": np.zeros((9, 4), "f4")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("bad", "dtype", "message"),
    [
        (np.nan, "float32", "NaN"),
        (np.inf, "float32", "NaN"),
        (1e6, "float16", "too large for float16"),
    ],
)
def test_a_nan_is_reported_with_its_address_and_row(tmp_path, bad, dtype, message):
    values = np.zeros((3, 4), "f4")
    values[1, 2] = bad
    with (
        pytest.raises(UserError, match=f"lm.0/last: {message} in the activations of 'i07'"),
        open_shard(tmp_path / "a.parquet", IDS, [LAST], dtype, META) as shard,
    ):
        shard.add([2, 7, 5], {"lm.0/last": values})
    assert list(tmp_path.iterdir()) == []


def test_a_bad_value_among_stored_tokens_is_reported_with_its_row(tmp_path):
    values = [np.zeros((2, 4), "f4"), np.full((1, 4), np.nan, "f4")]
    with (
        pytest.raises(UserError, match="image_tokens: NaN in the activations of 'i01'"),
        open_shard(tmp_path / "a.parquet", IDS, [TOKENS], "float16", META) as shard,
    ):
        shard.add([0, 1], {"lm.0/image_tokens": values})


def test_a_shard_without_rows_or_columns_is_complete(tmp_path):
    with open_shard(tmp_path / "rows.parquet", [], [LAST], "float16", META):
        pass
    with open_shard(tmp_path / "columns.parquet", IDS, [], "float16", META):
        pass
    assert pq.read_table(tmp_path / "rows.parquet").column_names == ["item_id", "lm.0/last"]
    assert pq.read_table(tmp_path / "columns.parquet").column("item_id").to_pylist() == IDS


def test_an_error_of_the_writing_thread_is_raised(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shards.Shard, "_write", full)
    with (
        pytest.raises(OSError, match="No space left"),
        open_shard(tmp_path / "a.parquet", IDS, [LAST], "float16", META) as shard,
    ):
        shard.add(range(10), {"lm.0/last": np.zeros((10, 4), "f4")})
    assert list(tmp_path.iterdir()) == []
