"""Measure the processor time to start and end a job, with and without garbage collection.

    python bench/starting.py --rounds 5

Each case is a new Python process. Cases run in turn, so other load on the machine affects all
equally. The minimum over rounds is shown, since other processes can only add time.
"""

import argparse
import os
import subprocess
import sys

import tables

PARTS = {
    "torch": "import torch",
    "a VLM's classes": "import transformers; transformers.LlavaForConditionalGeneration",
}
PAUSED = """from eyechart.core import collection
with collection.paused():
    {}
collection.keep_all()"""


def seconds(code: str) -> float:
    """Return the processor time of a new process that runs some code."""
    run = subprocess.Popen([sys.executable, "-c", code])
    _, status, used = os.wait4(run.pid, 0)
    if status:
        raise SystemExit(f"failed: {code}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = range(parser.parse_args().rounds)
    cases = [code for part in PARTS.values() for code in (part, PAUSED.format(part))]
    measured = [[seconds(code) for code in cases] for _ in rounds]
    took = [min(times) for times in zip(*measured, strict=True)]
    rows = [
        [part, f"{with_gc:.1f}", f"{without:.1f}", f"{without / with_gc:.2f}"]
        for part, with_gc, without in zip(PARTS, took[::2], took[1::2], strict=True)
    ]
    print(tables.table(["imported", "collected, s", "paused, s", "ratio"], rows))


if __name__ == "__main__":
    main()
