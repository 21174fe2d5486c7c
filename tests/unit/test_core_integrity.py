"""The sweep before a run: damage is found and set aside; all else is left, and quickly."""

import fcntl
import json
import os
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from eyechart.core import integrity
from eyechart.core.files import describe, write_json

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("results/extraction/clip/clevr/image")
MANIFEST = FOLDER / "manifest.json"
PART = FOLDER / "part-001.parquet"
SHARD = Path("data/raw/clevr/shards/val-000.json")
WHOLE_IMAGE = Path("data/raw/clevr/images/val/1.png")
RECEIPT = Path("data/raw/clevr/acquired.json")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with two activation parts, and a drawn shard of three pictures."""
    monkeypatch.chdir(tmp_path)
    Path(".snakemake").mkdir()
    FOLDER.mkdir(parents=True)
    parts = [FOLDER / f"part-{n:03d}.parquet" for n in range(2)]
    for n, path in enumerate(parts):
        path.write_bytes(bytes([n]) * 1000)
    write_json(MANIFEST, {"parts": [{**describe(p), "path": p.name} for p in parts]})
    WHOLE_IMAGE.parent.mkdir(parents=True)
    pictures = [WHOLE_IMAGE.with_name(f"{n}.png") for n in range(3)]
    for n, path in enumerate(pictures):
        path.write_bytes(bytes([n]) * 100)
    root = Path("data/raw/clevr")
    files = [{**describe(p), "path": str(p.relative_to(root))} for p in pictures]
    write_json(SHARD, {"files": files, "scenes": []})
    write_json(RECEIPT, {"files": files})
    return tmp_path


def marked(path: Path) -> bool:
    """Say whether Snakemake would take an output for incomplete: it is there, with a mark."""
    key = urlsafe_b64encode(str(path).encode()).decode()
    return path.exists() and Path(".snakemake/incomplete", key).exists()


def damage(path: Path) -> None:
    """Change a byte; the size stays."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def test_what_is_whole_is_left_alone_and_nothing_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrity, "sha256", lambda _: pytest.fail("hashed without need"))
    assert integrity.sweep() == []
    assert MANIFEST.exists() and SHARD.exists() and RECEIPT.exists()


def test_a_damaged_part_is_set_aside_and_marked() -> None:
    damage(PART)
    (warning,) = integrity.sweep()
    assert warning == (
        f"{PART} was damaged and is set aside as part-001.parquet.damaged; it is made again"
    )
    assert marked(PART) and PART.stat().st_size == 0
    assert not marked(MANIFEST) and not marked(PART.with_name("part-000.parquet"))
    assert PART.with_name("part-001.parquet.damaged").exists()
    assert PART.with_name("part-000.parquet").exists()


def test_a_part_of_another_size_or_lost_is_found() -> None:
    os.truncate(PART, 10)
    PART.with_name("part-000.parquet").unlink()
    assert [w.split()[1:3] for w in integrity.sweep()] == [["is", "missing;"], ["was", "damaged"]]
    assert marked(PART) and marked(PART.with_name("part-000.parquet"))
    # and again, if nobody has made them yet
    assert [w.split()[1:3] for w in integrity.sweep()] == 2 * [["is", "missing;"]]


def test_a_manifest_that_is_cut_off_is_set_aside() -> None:
    os.truncate(MANIFEST, 20)
    assert len(integrity.sweep()) == 1
    assert marked(MANIFEST) and not marked(PART)


def test_a_part_that_a_finished_job_has_just_written_makes_its_manifest_old_not_damaged() -> None:
    # a run that was stopped between the part and its manifest
    damage(PART)
    record = Path(".snakemake/metadata") / urlsafe_b64encode(str(PART).encode()).decode()
    write_json(record, {"endtime": PART.stat().st_mtime})
    assert integrity.sweep() == []
    assert not marked(PART)


def test_touched_files_are_hashed_once_and_then_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    later = time.time() + 60
    for path in (PART, WHOLE_IMAGE):
        os.utime(path, (later, later))
    assert integrity.sweep() == []
    monkeypatch.setattr(integrity, "sha256", lambda _: pytest.fail("hashed again"))
    assert integrity.sweep() == []


def test_damage_after_a_touch_is_still_found() -> None:
    later = time.time() + 60
    os.utime(PART, (later, later))
    assert integrity.sweep() == []
    damage(PART)
    os.utime(PART, (later + 1, later + 1))
    assert len(integrity.sweep()) == 1


@pytest.mark.parametrize("lost", [True, False])
def test_a_lost_or_damaged_picture_marks_its_shard(lost: bool) -> None:
    if lost:
        WHOLE_IMAGE.unlink()
    else:
        damage(WHOLE_IMAGE)
    warnings = integrity.sweep()
    assert all(warning.startswith(str(WHOLE_IMAGE)) for warning in warnings)
    assert marked(SHARD) and SHARD.stat().st_size


def test_without_shards_the_receipt_stands_for_the_pictures() -> None:
    SHARD.unlink()
    damage(WHOLE_IMAGE)
    (warning,) = integrity.sweep()
    assert str(RECEIPT) in warning
    assert marked(RECEIPT)


def test_links_to_the_users_own_files_are_followed_and_never_renamed(tmp_path: Path) -> None:
    own = tmp_path / "own.png"
    WHOLE_IMAGE.rename(own)
    WHOLE_IMAGE.symlink_to(own)
    assert integrity.sweep() == []
    damage(own)
    assert integrity.sweep() != []
    assert own.exists() and WHOLE_IMAGE.is_symlink()


def test_what_dead_processes_left_is_removed_and_what_living_ones_write_is_not() -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    leftover = FOLDER / f".part-002.parquet.partial-{int(dead.stdout)}"
    being_written = FOLDER / f".part-003.parquet.partial-{os.getpid()}"
    named_alike = FOLDER / "a.partial-copy"
    for path in (leftover, being_written, named_alike):
        path.write_text("half")
    integrity.remove_partials(["results", "data"])
    assert not leftover.exists()
    assert being_written.exists() and named_alike.exists()


START = "from eyechart.core import integrity; print(len(integrity.start()))"


def start() -> int:
    """Start as Snakemake does, in a process of its own; give the number of warnings."""
    done = subprocess.run(
        [sys.executable, "-c", START],
        env={"PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def test_locks_of_a_killed_run_are_removed() -> None:
    lock = Path(".snakemake/locks/0.input.lock")
    lock.parent.mkdir()
    lock.write_text("")
    start()
    assert not lock.exists()


def test_nothing_is_touched_while_another_run_is_alive() -> None:
    lock = Path(".snakemake/locks/0.input.lock")
    lock.parent.mkdir()
    lock.write_text("")
    damage(PART)
    with open(integrity.LOCK, "w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert start() == 0
        assert PART.exists() and lock.exists()
    assert start() == 1
    assert marked(PART) and not lock.exists()


def test_ten_times_as_many_files_cost_about_ten_times_as_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(integrity, "sha256", lambda _: pytest.fail("hashed"))
    spent = []
    for count in (400, 4000):
        entries = []
        for n in range(count):
            (WHOLE_IMAGE.parent / f"x{n}.png").write_bytes(b"x")
            entries.append({"path": f"images/val/x{n}.png", "bytes": 1, "sha256": "0" * 64})
        SHARD.write_text(json.dumps({"files": entries}))
        began = time.process_time()
        assert integrity.sweep() == []
        spent.append(time.process_time() - began)
    assert spent[1] < 40 * spent[0]  # were it quadratic: 100 times
