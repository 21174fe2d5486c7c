"""Concurrent Snakemake runs: which of them check the files, and when."""

import errno
import fcntl
import os
from pathlib import Path

import pytest
from integrity_fixture import PART, Graph, damage, make_folder, start

from eyechart.core import integrity
from eyechart.core.files import write_json


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_folder(tmp_path, monkeypatch)
    return tmp_path


def lock() -> Path:
    Path(".snakemake/locks").mkdir()
    write_json(path := Path(".snakemake/locks/0.input.lock"), "")
    return path


def test_locks_of_a_killed_run_are_removed() -> None:
    left = lock()
    start()
    assert not left.exists()


def test_nothing_is_touched_while_another_run_is_alive() -> None:
    held = lock()
    damage(PART)
    with open(integrity.LOCK, "w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert start() == 0
        assert PART.exists() and held.exists()
    assert start() == 1
    assert not held.exists()


def test_files_left_unchecked_during_a_dry_run_are_checked_after_it() -> None:
    damage(PART)
    with open(integrity.LOCK, "w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert integrity.start() == []
        assert Graph(PART).repair([]) == []
    assert len(Graph(PART).repair([])) == 1


def test_a_dry_run_lets_others_begin_once_it_is_known_to_be_one() -> None:
    integrity.start()
    damage(PART)
    assert start() == 0
    assert Graph(PART, dryrun=True).repair([]) == []
    assert start() == 1


def test_verify_lets_others_begin() -> None:
    assert integrity.start(full=True) == []
    damage(PART)
    assert start() == 1


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_file_locks_snakemakes_own_locks_decide(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(handle: int, kind: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    damage(PART)
    assert len(integrity.start()) == 1
    held = lock()
    assert integrity.start() == [] and held.exists()
