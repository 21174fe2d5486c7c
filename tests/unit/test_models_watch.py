"""A block is too long if it takes both processor time and elapsed time."""

import os
import select
import signal
import time

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
    steps, ends = iter([(True, b"+"), (False, (0, 0)), (False, (used, elapsed)), (True, ENDED)]), []
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
    watch.main("eyechart: error: late", 12)
    assert ends == ([(os.getppid(), signal.SIGKILL)] if killed else [])
    assert capfd.readouterr().err == ("eyechart: error: late\n" if killed else "")
