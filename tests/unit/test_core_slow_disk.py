"""The ledger on disks that store times in whole seconds, or are slow to look up files."""

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from integrity_fixture import OUTPUTS, PART, RAW, RECEIPT, WHOLE_IMAGE, damage, make_folder

from eyechart.core import integrity, ledger
from eyechart.core.ledger import LEDGER, Ledger

GRANULE = 2 * 10**9  # nanoseconds
NOW = 10**9 * 10**9 + 1


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that sets the time; files get that time, in multiples of two seconds."""
    make_folder(tmp_path, monkeypatch)
    LEDGER.unlink()
    real, at = os.stat, [NOW]

    class Status:
        def __init__(self, found: os.stat_result) -> None:
            self.st_mode, self.st_size = found.st_mode, found.st_size
            self.st_ctime_ns = self.st_mtime_ns = NOW // GRANULE * GRANULE

    def stat(path: str, **how: bool) -> os.stat_result | Status:
        found = real(path, **how)
        return Status(found) if str(path).startswith(("data/", "results/")) else found

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(Path, "stat", lambda path, **how: stat(str(path), **how))
    monkeypatch.setattr(time, "time_ns", lambda: at[0])
    return lambda seconds: at.__setitem__(0, NOW + seconds * 10**9)


def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which every hashed file is appended."""
    found: list[str] = []
    digest = ledger._digest
    monkeypatch.setattr(ledger, "_digest", lambda path: (found.append(path), digest(path))[1])
    return found


@pytest.mark.parametrize("path", [PART, WHOLE_IMAGE], ids=["output", "listed"])
def test_a_change_within_the_second_of_the_last_check_is_noticed(
    clock: Callable[[int], None], path: Path
) -> None:
    assert integrity.update("results") == []
    damage(path)
    (fault,) = integrity.update("results")
    assert fault.path == str(path)
    clock(60)
    assert [f.path for f in integrity.update("results")] == [str(path)]


def test_a_listed_file_as_new_as_its_list_is_checked(clock: Callable[[int], None]) -> None:
    damage(WHOLE_IMAGE)  # in the same second as its list, before any check
    clock(60)
    assert str(WHOLE_IMAGE) in {fault.path for fault in integrity.update("results")}


def test_files_are_hashed_only_until_their_second_is_over(
    clock: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, expected = hashed(monkeypatch), []
    for seconds in (0, 1, 60, 61):
        clock(seconds)
        assert integrity.update("results") == []
        expected.append(len(found))
        found.clear()
    assert expected[0] > 0 and expected[1] == expected[2] == len(Ledger().entries)
    assert expected[3] == 0


def test_each_file_is_looked_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path, monkeypatch)
    integrity.update("results")
    real, seen = os.stat, Counter[str]()

    def stat(path: str, **how: bool) -> os.stat_result:
        seen[str(path)] += 1
        return real(path, **how)

    monkeypatch.setattr(os, "stat", stat)
    known = Ledger()
    assert known.check() == []
    assert len(known.entries) > len(OUTPUTS)
    assert {seen[path] for path in known.entries} == {1}
    assert seen[str(RECEIPT)] == 1 and str(RAW) not in seen


@pytest.mark.parametrize("seconds", [0.0, ledger.SLOW * ledger.FEW], ids=["quick", "slow"])
def test_slow_look_ups_run_in_parallel(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [f"results/{n}" for n in range(ledger.FEW + 3 * ledger.MANY)]
    ticks, pools, whole = iter([0.0, seconds]), [], ledger.thread_pool
    monkeypatch.setattr(ledger, "_stamp", lambda path: (int(path[8:]), 0))
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    monkeypatch.setattr(ledger, "thread_pool", lambda n: (pools.append(n), whole(n))[1])
    assert list(ledger._stamps(paths)) == [(path, (n, 0)) for n, path in enumerate(paths)]
    assert pools == ([ledger.MANY] if seconds else [])
