"""Python's cyclic garbage collection, which makes imports of many classes slow."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def pause() -> None:
    """Stop collections, for example while a process imports its modules."""
    gc.disable()


def resume() -> None:
    """Start collections again, without all objects that exist now: a process's modules stay."""
    gc.freeze()
    gc.enable()


def keep_all() -> None:
    """Exclude all existing objects from garbage collection, including collection at exit."""
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
