"""A thread that has no memory to start is an error, and no process waits for it."""

import os
import subprocess
import sys

from documented_commands import ROOT

SCRIPT = """
import resource, threading
from eyechart.core.memory import taken
from eyechart.core.threads import thread_pool

thread = threading.Thread(target=int)  # its stack is kept for another one
thread.start()
thread.join()
pool = {pool}
blocks = []
resource.setrlimit(resource.RLIMIT_AS, (taken(), -1))
for size in (1 << 16, 1 << 10, 1 << 7, 1 << 4):
    try:
        while True:
            blocks.append(bytes(size))
    except MemoryError:
        pass
pool(1).submit(int).result()
"""


def test_a_pool_without_memory_for_its_threads_is_an_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(pool="thread_pool")],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(("MemoryError", "OSError: [Errno 12]"))
