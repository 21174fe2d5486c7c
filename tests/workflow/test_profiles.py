"""With profiles/default, jobs of other workflows also take turns on one GPU."""

import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT

pytestmark = pytest.mark.workflow

# A job with a GPU fails if another one runs; a job without one fails unless another one starts
SNAKEFILE = """
rule all:
    input: expand("{kind}-{n}", kind=["gpu", "cpu"], n=[1, 2])

rule gpu:
    output: "gpu-{n}"
    resources: gpu=1
    shell: "mkdir busy; sleep 1; rmdir busy; touch {output}"

rule cpu:
    output: "cpu-{n}"
    shell: "touch here-{wildcards.n}; "
        "timeout 120 sh -c 'until test -e here-1 -a -e here-2; do sleep 0.1; done'; touch {output}"
"""


def test_jobs_with_a_gpu_take_turns_on_one_machine_and_others_do_not(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    profile = ["--workflow-profile", str(ROOT / "profiles/default")]
    run = [sys.executable, "-m", "snakemake", "--cores", "4", *profile]
    done = subprocess.run(run, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
