"""Lock files: one process at a time, even if the file system has no locks."""

import errno
import fcntl
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eyechart.core import integrity
from eyechart.core.ledger import LEDGER, Ledger
from eyechart.core.lock import alone


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_one_process_holds_the_lock_at_a_time():
    inside = threading.Semaphore(1)

    def work(_: int) -> bool:
        with alone(Path("lock.tsv")):
            first = inside.acquire(blocking=False)
            os.sched_yield()
            inside.release()
            return first

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_file_system_locks_work_continues(monkeypatch, code):
    def refuse(handle: int, kind: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refuse)
    done = []
    with alone(Path("lock.tsv")):
        done.append(1)
    assert done == [1]


def test_other_lock_errors_are_reported(monkeypatch):
    def refuse(handle: int, kind: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(OSError, match="broken"), alone(Path("lock.tsv")):
        pass


def test_two_runs_that_end_at_once_enter_their_files_in_turn(monkeypatch):
    """A flock on a second handle of this process waits just as another process would."""
    taken, adopt = [], Ledger.adopt

    def adopt_and_try(ledger: Ledger) -> None:
        with open(LEDGER.with_name(f".{LEDGER.name}.held")) as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                taken.append(True)
        adopt(ledger)

    monkeypatch.setattr(Ledger, "adopt", adopt_and_try)
    assert integrity.update("results") == []
    assert taken == [True]
