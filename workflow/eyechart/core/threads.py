"""Pools of threads that cannot wait forever for memory."""

import mmap
from concurrent.futures import ThreadPoolExecutor

ROOM = 1 << 24  # bytes of addresses per thread, for its stack and first objects


def thread_pool(threads: int, name: str = "") -> ThreadPoolExecutor:
    """Return a pool of threads whose names begin with ``name``.

    Raise an OSError if memory is too limited for them. Otherwise Python could wait forever for a
    thread that found no memory when it started.
    """
    mmap.mmap(-1, threads * ROOM, flags=mmap.MAP_PRIVATE).close()
    return ThreadPoolExecutor(threads, thread_name_prefix=name)
