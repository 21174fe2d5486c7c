"""Errors after a time, by the timers of the operating system."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ELAPSED, PROCESSOR = signal.ITIMER_REAL, signal.ITIMER_PROF
_SIGNALS = {ELAPSED: signal.SIGALRM, PROCESSOR: signal.SIGPROF}


@contextmanager
def raises_after(seconds: float, error: Exception, timer: int = ELAPSED) -> Iterator[None]:
    """Raise ``error`` in the block after elapsed or processor time; main thread only.

    Python runs signal handlers between its own instructions, and when a system call is
    interrupted, so a long call of a library is not ended.
    """

    def over(signum: int, frame: Any) -> None:
        raise error

    handler = signal.signal(_SIGNALS[timer], over)
    left, _ = signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        signal.setitimer(timer, left)
        signal.signal(_SIGNALS[timer], handler)
