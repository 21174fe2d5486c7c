"""Python's cyclic garbage collection, which makes imports of many classes slow."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def keep_all() -> None:
    """Exclude all present objects from collections, also from those at the end of the process.

    For a process's own modules, which stay until its end anyway.
    """
    gc.freeze()


@contextmanager
def paused() -> Iterator[None]:
    """Pause collections while code creates many objects and little garbage; a decorator, too."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
