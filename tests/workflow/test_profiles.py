"""What profiles/default does to jobs that are not ours: on one GPU they take turns."""

import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

SNAKEFILE = """
rule all:
    input: expand("{kind}-{n}", kind=["gpu", "cpu"], n=[1, 2])

rule gpu:
    output: "gpu-{n}"
    resources: gpu=1
    shell: "date +%s.%N > {output}; sleep 1.5; date +%s.%N >> {output}"

rule cpu:
    output: "cpu-{n}"
    shell: "date +%s.%N > {output}; sleep 1.5; date +%s.%N >> {output}"
"""


def overlap(folder: Path, kind: str) -> bool:
    """Whether both jobs of a kind ran at the same time."""
    times = [[float(t) for t in (folder / f"{kind}-{n}").read_text().split()] for n in (1, 2)]
    (_, first_end), (second_start, _) = sorted(times)
    return second_start < first_end


def test_jobs_with_a_gpu_take_turns_on_one_machine_and_others_do_not(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    profile = ["--workflow-profile", str(ROOT / "profiles/default")]
    run = [sys.executable, "-m", "snakemake", "--cores", "4", *profile]
    subprocess.run(run, cwd=tmp_path, check=True, capture_output=True)
    assert overlap(tmp_path, "cpu")
    assert not overlap(tmp_path, "gpu")
