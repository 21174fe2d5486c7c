"""Python's cyclic garbage collection, which makes imports of many classes slow."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def keep_all() -> None:
    """Exclude all existing objects from garbage collection, including collection at exit.

    Use this for a process's own modules, which stay until its end anyway.
    """
    gc.freeze()


@contextmanager
def paused() -> Iterator[None]:
    """Pause collections while code creates many objects and little garbage; also a decorator."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
