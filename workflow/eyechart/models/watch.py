"""Kill this process if it stays too long in one call of a library; main thread only.

Python runs signal handlers between its own instructions, so :func:`timer.raises_after` does not end
a call into C or Rust, such as the comparison of two deeply nested lists or a tokenizer's regular
expression. Another process, which runs this file, measures the processor time instead. It writes
one sentence to the step's log before it kills the step.
"""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

# Of processor time, which a waiting process does not use, and also of elapsed time, since other
# threads of the process use processor time too. More than templates have
SECONDS = 12
_PAUSE = 0.5  # seconds between two measurements
_open: list[str] = []  # sentences of the blocks that have begun


@contextmanager
def watched(sentence: str) -> Iterator[None]:
    """Write ``sentence`` to standard error and kill the process if the block takes too long."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _open.append(sentence)
    _tell()
    try:
        yield
    finally:
        _open.pop()
        _tell()


def _tell() -> None:
    """Send the sentence of the innermost block, whose time begins now; an empty one if none."""
    line = " ".join(_open[-1].splitlines()) if _open else ""
    with suppress(OSError):  # the watching process was killed
        os.write(_watcher(os.getpid()).stdin.fileno(), f"{line}\n".encode())  # type: ignore[union-attr]


@cache
def _watcher(process: int) -> subprocess.Popen[bytes]:
    """Return the process that watches this one, given this one's id; it ends with this one."""
    words = [sys.executable, "-I", "-S", __file__, str(SECONDS)]
    return subprocess.Popen(words, stdin=subprocess.PIPE)


def _used(process: int) -> float:
    """Return a process's processor time in seconds or, if that is unknown, elapsed time."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(most: float) -> None:
    """Watch the parent process, which writes a line whenever a block begins or ends."""
    process, told, sentence, began, start = os.getppid(), b"", b"", None, 0.0
    while True:
        ready, _, _ = select.select([0], [], [], _PAUSE if sentence else None)
        if ready:
            if not (more := os.read(0, 1 << 16)):
                return
            *complete, told = (told + more).split(b"\n")
            sentence, began = (complete or [sentence])[-1], None
        elif began is None:  # most blocks end before they are measured
            began, start = _used(process), time.monotonic()
        elif min(_used(process) - began, time.monotonic() - start) > most:
            os.write(2, sentence + b"\n")
            os.kill(process, signal.SIGKILL)
            return


if __name__ == "__main__":
    main(float(sys.argv[1]))
