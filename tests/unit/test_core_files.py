"""A file with its final name is complete, and equal content gives equal bytes."""

import errno
import functools
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from eyechart.core import files
from eyechart.core.errors import UserError
from eyechart.core.lock import read_rows
from eyechart.data.layouts.base import read_lists
from eyechart.data.sources.versions import read_versions
from eyechart.tables import activations, parquet


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "deep/out.txt"
    with files.atomic(target) as partial:
        partial.write_text("half")
        assert not target.exists()
        assert partial.parent == target.parent  # otherwise the rename would be a copy
    assert target.read_text() == "half"
    assert left(target.parent) == ["out.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), files.atomic(target) as partial:
        partial.write_text("new, but")
        raise RuntimeError
    assert target.read_text() == "old"
    assert left(tmp_path) == ["out.txt"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "out.json").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_json(tmp_path / "out.json", {"new": 1})
    assert (tmp_path / "out.json").read_text() == "old"
    assert left(tmp_path) == ["out.json"]


def test_json_is_read_back_and_equal_values_are_equal_bytes(tmp_path: Path) -> None:
    value = {"b": [1, 2.5, None], "a": {"ü": True}}
    for name in ("one.json", "two.json"):
        files.write_json(tmp_path / name, json.loads(json.dumps(value)))
    assert files.read_json(tmp_path / "one.json") == value
    assert files.sha256(tmp_path / "one.json") == files.sha256(tmp_path / "two.json")


def test_json_cannot_represent_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "x.json", {"x": float("nan")})
    assert left(tmp_path) == []


@pytest.mark.parametrize("content", [None, b"{", b"\xff"])
def test_json_that_is_missing_or_broken_is_reported(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.json"):
        files.read_json(tmp_path / "x.json")


def test_a_file_is_described_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    entry = files.describe(tmp_path / "x")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert entry == {"path": str(tmp_path / "x"), "bytes": 3, "sha256": digest}


def table(n: int = 50) -> pa.Table:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((n, 8)).astype(np.float16)
    ids = [f"id{i:03d}" for i in range(n)]
    return pa.table({"image_id": ids, "lm.0/last": activations.column(values)})


def test_equal_tables_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        parquet.write_table(tmp_path / name, table())
    assert files.sha256(tmp_path / "one") == files.sha256(tmp_path / "two")


def test_a_table_and_its_fixed_size_lists_are_read_back_exactly(tmp_path: Path) -> None:
    parquet.write_table(tmp_path / "t.parquet", table())
    back = parquet.read_table(tmp_path / "t.parquet")
    assert back.equals(table())
    assert back.schema.field("lm.0/last").type == pa.list_(pa.float16(), 8)


def test_one_column_is_read_without_the_others(tmp_path: Path) -> None:
    parquet.write_table(tmp_path / "t.parquet", table())
    assert parquet.read_table(tmp_path / "t.parquet", ["image_id"]).column_names == ["image_id"]


@pytest.mark.parametrize("content", [None, b"PAR1", b"no table at all"])
def test_a_table_that_is_missing_or_cut_off_is_reported(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(UserError, match=r"t\.parquet"):
        parquet.read_table(tmp_path / "t.parquet")


def test_a_missing_column_is_reported(tmp_path: Path) -> None:
    parquet.write_table(tmp_path / "t.parquet", table())
    with pytest.raises(UserError, match=r"'lm\.9/last' is missing"):
        parquet.read_table(tmp_path / "t.parquet", ["lm.9/last"])


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Write two parts of 50 and 30 rows and their manifest."""
    parts = []
    for n, rows in enumerate((50, 30)):
        path = tmp_path / f"part-{n:03d}.parquet"
        parquet.write_table(path, table(rows))
        parts.append({**files.describe(path), "path": path.name, "rows": rows})
    column = {"name": "lm.0/last", "address": "lm.0", "span": "last", "width": 8}
    content = {"scope": "image", "columns": [column], "parts": parts}
    files.write_json(tmp_path / "manifest.json", content)
    return tmp_path / "manifest.json"


def test_a_column_is_read_over_all_parts_as_float32(manifest: Path) -> None:
    values = activations.read_column(manifest, "lm.0/last")
    assert values.shape == (80, 8)
    assert values.dtype == np.float32
    assert len(activations.read_ids(manifest)) == 80
    assert (values[50:80] == values[:30]).all()


def test_an_unknown_column_error_lists_the_existing_ones(manifest: Path) -> None:
    with pytest.raises(UserError, match=r"no column 'lm\.1/last'; there are: lm\.0/last"):
        activations.read_column(manifest, "lm.1/last")


def test_nan_in_activations_is_reported_with_column_and_row(manifest: Path, tmp_path: Path) -> None:
    values = np.zeros((30, 8), np.float16)
    values[17, 3] = np.nan
    broken = pa.table({"image_id": ["x"] * 30, "lm.0/last": activations.column(values)})
    parquet.write_table(tmp_path / "part-001.parquet", broken)
    with pytest.raises(UserError, match=r"part-001\.parquet: column 'lm\.0/last', row 17: NaN"):
        activations.read_column(manifest, "lm.0/last")


def test_a_damaged_part_is_reported(manifest: Path, tmp_path: Path) -> None:
    activations.check_parts(manifest)
    path = tmp_path / "part-001.parquet"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"part-001\.parquet: bytes differ"):
        activations.check_parts(manifest)


def test_a_pipe_or_a_device_is_not_read(tmp_path: Path) -> None:
    pipe, folder = tmp_path / "pipe.json", tmp_path / "folder"
    os.mkfifo(pipe), folder.mkdir()
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(UserError, match=f"^{path}: is a pipe or a device, expected a file$"):
            files.read_json(path)
    for path, error in ((folder, IsADirectoryError), (tmp_path / "none", FileNotFoundError)):
        with pytest.raises(error):
            files.read(path)


def test_a_pipe_in_place_of_a_lock_file_or_table_is_one_sentence(tmp_path: Path) -> None:
    pipe = tmp_path / "versions.tsv"
    os.mkfifo(pipe)
    for read in (
        functools.partial(read_rows, pipe, ("a",), ""),
        functools.partial(read_versions, pipe, "clevr", "clevr"),
        functools.partial(read_lists, pipe, ("images",), dict, ""),
    ):
        with pytest.raises(UserError, match="is a pipe or a device"):
            read()
