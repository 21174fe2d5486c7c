"""The ledger and the checks before a run find damage and loss, and change nothing else."""

import errno
import json
import os
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from integrity_fixture import (
    FOLDER,
    LABELS,
    MANIFEST,
    PART,
    PREPARED,
    RECEIPT,
    SHARD,
    WHOLE_IMAGE,
    Graph,
    damage,
    make_folder,
)

from eyechart.core import files, integrity, ledger
from eyechart.core.files import MACHINE, describe, remove_partials, write_json
from eyechart.core.ledger import Ledger


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_folder(tmp_path, monkeypatch)
    return tmp_path


def record(path: Path, kind: str = "metadata") -> None:
    """Record an output as Snakemake does when a job ends, or when it begins."""
    file = Path(".snakemake", kind, urlsafe_b64encode(str(path).encode()).decode())
    write_json(file, {"endtime": path.stat().st_mtime if path.exists() else 0})


def sentences() -> list[str]:
    return [fault.sentence for fault in integrity.update("results")]


def test_intact_files_are_left_alone_and_not_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "sha256", lambda _: pytest.fail("a file was hashed unnecessarily"))
    assert sentences() == []


def test_without_a_ledger_a_part_that_is_newer_than_its_manifest_is_hashed() -> None:
    ledger.LEDGER.unlink()
    damage(PART)
    os.utime(PART, (time.time() + 60,) * 2)
    assert sentences() == [f"{PART} was damaged; it is made again"]


def test_outputs_rewritten_by_a_finished_job_are_entered() -> None:
    damage(PART)  # as if a run was stopped between the part and its manifest
    os.utime(PART, (time.time() + 60,) * 2)
    record(PART)
    assert sentences() == []
    assert Ledger().entries[str(PART)].sha256 == describe(PART)["sha256"]


def test_damage_that_keeps_the_recorded_time_is_not_a_new_output() -> None:
    record(PART)
    damage(PART, keep_time=True)
    for full in (False, True, False):
        (fault,) = integrity.update("results", full)
        assert fault.path == str(PART)


def test_an_incomplete_output_is_left_to_snakemake() -> None:
    damage(PART)
    record(PART, "incomplete")
    assert sentences() == []


def test_a_shard_that_is_rendered_again_has_new_images() -> None:
    damage(WHOLE_IMAGE)
    (WHOLE_IMAGE.parent / "2.png").unlink()
    write_json(SHARD, {"files": [{**describe(WHOLE_IMAGE), "path": "images/val/1.png"}]})
    os.utime(SHARD, (time.time() + 60,) * 2)
    record(SHARD)
    assert sentences() == []
    owned = {path for path, known in Ledger().entries.items() if known.owner == str(SHARD)}
    assert owned == {str(SHARD), str(WHOLE_IMAGE)}


def test_touched_files_are_hashed_once_and_then_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (PART, WHOLE_IMAGE):
        os.utime(path)
    assert sentences() == []
    monkeypatch.setattr(ledger, "sha256", lambda _: pytest.fail("hashed again"))
    assert sentences() == []


def test_without_shards_the_receipt_owns_the_images() -> None:
    SHARD.unlink()
    ledger.LEDGER.unlink()
    integrity.update("results")
    damage(WHOLE_IMAGE)
    made = f"the files listed in {RECEIPT} are made again"
    assert sentences() == [f"{WHOLE_IMAGE} was damaged; {made}"]


def test_labels_filled_in_by_the_user_are_kept_and_a_lost_file_is_noticed() -> None:
    LABELS.write_text("same,different\n")
    assert sentences() == []
    LABELS.unlink()
    assert sentences() == [f"{LABELS} is missing; it is made again"]


def test_a_bit_that_the_disk_lost_is_found_by_a_full_check_and_then_by_a_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # only the file's bytes have changed
    entry = Ledger().entries[str(WHOLE_IMAGE)]
    damage(WHOLE_IMAGE)
    kept = ledger._stamp
    monkeypatch.setattr(
        ledger, "_stamp", lambda p, **_: entry[:2] if p == str(WHOLE_IMAGE) else kept(p)
    )
    assert sentences() == []
    assert len(integrity.update("results", full=True)) == 1
    assert len(sentences()) == 1


def test_only_files_that_a_run_makes_are_set_aside_and_forced() -> None:
    damage(PART)
    damage(MANIFEST)
    before = PART.read_bytes()
    wanted = Graph(PART)
    aside = integrity.ASIDE / PART
    assert wanted.repair() == [
        f"eyechart: {PART} was damaged; it is made again (the old version is in {aside})"
    ]
    assert wanted.forcefiles == {str(PART)}
    assert not PART.exists() and aside.read_bytes() == before
    assert MANIFEST.exists()


def test_a_dry_run_moves_nothing() -> None:
    damage(PART)
    wanted = Graph(PART, dryrun=True)
    assert wanted.repair() == [f"eyechart: {PART} was damaged; it is made again"]
    assert wanted.forcefiles == {str(PART)} and PART.exists()


def test_a_folder_or_a_dead_link_in_place_of_a_file_is_moved_away() -> None:
    for _ in range(2):  # the second time, the new place is taken
        PART.unlink(missing_ok=True)
        (PART / "inner").mkdir(parents=True)
        Graph(PART).repair()
        assert not os.path.lexists(PART) and (integrity.ASIDE / PART / "inner").is_dir()
    PART.symlink_to(PART.name)
    Graph(PART).repair()
    assert not os.path.lexists(PART)


def test_links_to_the_users_own_files_are_followed_and_never_moved(tmp_path: Path) -> None:
    own = tmp_path / "own.png"
    WHOLE_IMAGE.rename(own)
    WHOLE_IMAGE.symlink_to(own)
    assert sentences() == []
    damage(own)
    assert len(Graph(SHARD).repair()) == 1
    assert own.exists() and WHOLE_IMAGE.is_symlink()


def test_partial_files_of_dead_processes_are_removed_and_of_live_ones_kept() -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    left = FOLDER / f".part-002.parquet.partial-{MACHINE}-{int(dead.stdout)}"
    long_ago = FOLDER / ".part-004.parquet.partial-0123abcd-1"
    elsewhere = FOLDER / ".part-005.parquet.partial-0123abcd-2"  # from another container
    being_written = FOLDER / f".part-003.parquet.partial-{MACHINE}-{os.getpid()}"
    named_alike = FOLDER / "a.partial-copy"
    for path in (left, long_ago, elsewhere, being_written, named_alike):
        path.write_text("half")
    os.utime(long_ago, (0, 0))
    remove_partials("results")
    assert not left.exists() and not long_ago.exists()
    assert being_written.exists() and named_alike.exists() and elsewhere.exists()


def test_a_reused_process_id_does_not_protect_a_dead_processs_files() -> None:
    with files.atomic(FOLDER / "a.json") as own:
        own.write_text("half")
        *name, began = own.name.split("-")
        other = own.with_name("-".join([*name, str(int(began) - 1)]))
        other.write_text("half")
        remove_partials("results")
        assert own.exists() and not other.exists()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    began = Path(f"/proc/{ended.pid}/stat").read_text().rpartition(")")[2].split()[19]
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # dead, but its number is still taken
    left = FOLDER / f".b.json.partial-{MACHINE}-{ended.pid}-{began}"
    left.write_text("half")
    remove_partials("results")
    assert not left.exists()
    ended.wait()


def test_a_pipe_in_place_of_the_ledger_is_replaced() -> None:
    ledger.LEDGER.unlink()
    os.mkfifo(ledger.LEDGER)
    assert integrity.update("results") == []
    assert ledger.LEDGER.is_file()


@pytest.mark.parametrize("is_new", [False, True])
def test_a_file_that_cannot_be_opened_for_lack_of_a_resource_is_not_damaged(
    monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    def sha256(path: Path) -> str:
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    assert integrity.update("results") == []
    known = ledger.LEDGER.read_bytes()
    PART.write_bytes(PART.read_bytes())
    if is_new:
        ledger.LEDGER.unlink()
    with monkeypatch.context() as scarce:
        scarce.setattr(ledger, "sha256", sha256)
        with pytest.raises(OSError, match="Too many open files"):
            integrity.update("results")
        integrity.remember("results")
    assert ledger.LEDGER.exists() != is_new
    assert is_new or ledger.LEDGER.read_bytes() == known
    assert integrity.update("results") == []


def test_files_still_being_written_are_not_entered() -> None:
    half = PREPARED.with_name(f".2.png.partial-{MACHINE}-{os.getpid()}")
    half.write_text("half")
    ledger.LEDGER.unlink()
    assert integrity.update("results") == []
    half.unlink()
    assert integrity.update("results") == []


@pytest.mark.parametrize(
    ("files", "seconds"), [(20_000, 2), pytest.param(100_000, 10, marks=pytest.mark.slow)]
)
def test_many_files_are_checked_in_seconds(
    monkeypatch: pytest.MonkeyPatch, files: int, seconds: int
) -> None:
    entries = []
    for n in range(files):
        (WHOLE_IMAGE.parent / f"x{n}.png").hardlink_to(WHOLE_IMAGE.with_name(f"{n % 2}.png"))
        entries.append({"path": f"images/val/x{n}.png", "bytes": 100, "sha256": "0" * 64})
    SHARD.write_text(json.dumps({"files": entries}))
    os.utime(SHARD, (time.time() + 60,) * 2)
    record(SHARD)
    integrity.update("results")
    monkeypatch.setattr(ledger, "sha256", lambda _: pytest.fail("hashed"))
    began = time.process_time()
    assert integrity.start() == []
    assert time.process_time() - began < seconds
