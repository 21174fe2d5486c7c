"""A block is too long if it takes both processor time and elapsed time."""

import os
import select
import signal
import time
from types import SimpleNamespace

import pytest

from eyechart.models import watch

ENDED = b""


@pytest.mark.parametrize(
    ("used", "elapsed", "killed"),
    [
        (20, 0.6, False),  # twenty threads of the model run meanwhile
        (0.1, 60, False),  # the process waits for the disk
        (20, 60, True),
    ],
)
def test_both_kinds_of_time_are_needed(used, elapsed, killed, monkeypatch, capfd):
    begun = [(True, b"eyechart: err"), (True, b"or: late\n")]  # a line that is read in two parts
    steps, ends = iter([*begun, (False, (0, 0)), (False, (used, elapsed)), (True, ENDED)]), []
    now = []

    def wait(*_):
        ready, found = next(steps)
        now[:] = [found]
        return [0] if ready else [], [], []

    monkeypatch.setattr(select, "select", wait)
    monkeypatch.setattr(os, "read", lambda *_: now[0])
    monkeypatch.setattr(os, "kill", lambda process, number: ends.append((process, number)))
    monkeypatch.setattr(watch, "_used", lambda _: now[0][0])
    monkeypatch.setattr(time, "monotonic", lambda: now[0][1])
    watch.main(12)
    assert ends == ([(os.getppid(), signal.SIGKILL)] if killed else [])
    assert capfd.readouterr().err == ("eyechart: error: late\n" if killed else "")


def test_after_an_inner_block_the_outer_one_is_watched_again(monkeypatch):
    told, inlet = os.pipe()
    with os.fdopen(told, "rb") as output, os.fdopen(inlet, "wb") as stdin:
        monkeypatch.setattr(watch, "_watcher", lambda _: SimpleNamespace(stdin=stdin))
        with watch.watched("outer\nsentence"), watch.watched("inner"):
            pass
        assert output.read1(1000) == b"outer sentence\ninner\nouter sentence\n\n"
