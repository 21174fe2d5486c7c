"""Memory that a pass frees is available to the next one."""

import platform
import subprocess
import sys

import pytest
from documented_commands import ROOT

PASSES = """
import resource, sys
import torch
from eyechart.core.device import keep_freed_memory
if "keep" in sys.argv:
    keep_freed_memory()
def one_pass():
    return [torch.ones(330_000) for _ in range(60)]  # 79 MB, freed when the call is over
one_pass()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    one_pass()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*words: str) -> int:
    command = [sys.executable, "-c", PASSES, *words]
    done = subprocess.run(
        command, cwd=ROOT / "workflow", capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc's malloc")
def test_a_pass_reuses_the_memory_that_the_last_one_freed() -> None:
    pages = 60 * 330_000 * 4 // 4096  # memory pages of one pass
    assert faults("keep") < pages / 4 < faults()  # without it, faults vary from one to ten passes
