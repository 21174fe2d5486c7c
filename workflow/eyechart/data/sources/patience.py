"""How long a server may take: for an answer, and in pauses between attempts."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from eyechart.core.timer import raises_after

TIMEOUT_S = 60.0  # without a byte
ANSWER_S = 300.0  # for the hub's whole answer, or for a site's redirects and headers
BUSY = (408, 429)  # and all from 500: the server may answer later
_PAUSE_S = 2.0  # pause after the first interruption; doubled each time
_LONGEST_PAUSE_S = 60.0
_PATIENCE_S = 600.0  # total pauses without a new byte
_UNREACHED_S = 120.0  # the same if no server was reached: its name may be wrong
_sleep = time.sleep


class Patience:
    """Growing pauses between attempts, up to a total time.

    The time includes pauses but not attempts: two minutes if no server was reached, otherwise ten.
    It restarts with every new byte.
    """

    def __init__(self, reached: bool = False) -> None:
        self.reached = reached
        self.renew()

    def renew(self) -> None:
        """Restart the time."""
        self.attempts, self.waited = 0, 0.0

    def wait(self) -> bool:
        """Pause before another attempt; return whether there is time for one."""
        pause = min(_PAUSE_S * 2**self.attempts, _LONGEST_PAUSE_S)
        self.attempts += 1
        if self.waited + pause > (_PATIENCE_S if self.reached else _UNREACHED_S):
            return False
        self.waited += pause
        _sleep(pause)
        return True

    def __str__(self) -> str:
        """Return the number of attempts and the time, for a message."""
        return f"{self.attempts} times in a row, with {self.waited:.0f} s of pauses"


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError in the block after the given elapsed time; main thread only.

    Timeouts of libraries restart with every byte, so some answers would never end.
    """
    late = TimeoutError(f"no complete answer in {seconds:.0f} s")
    alone = threading.current_thread() is threading.main_thread()
    with raises_after(seconds, late) if alone else nullcontext():
        yield
