"""Under limits on file sizes and memory, a run ends with one sentence; the next one completes."""

import resource
import subprocess
from pathlib import Path

import pytest
from project import Project

pytestmark = pytest.mark.workflow

WEIGHTS = "data/models/tiny_llava/ready.json"  # next to 3 MB of weights
CARD = "results/models/tiny_llava/card.json"
ROOTS = ("data/models/tiny_llava", "results/models/tiny_llava")


def limited(project: Project, kind: int, most: int, target: str) -> str:
    """Run with a limit that must stop the run; return its output."""
    done = subprocess.run(
        project.command(target),
        cwd=project.folder,
        preexec_fn=lambda: resource.setrlimit(kind, (most, most)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    return done.stdout


def test_limits_end_a_run_with_one_sentence_and_the_next_run_completes(
    finished: Project, tmp_path: Path
) -> None:
    project = Project.create(tmp_path / "project")
    told = limited(project, resource.RLIMIT_FSIZE, 1 << 20, WEIGHTS)
    assert "lift the limit of file sizes (ulimit -f) and run again" in told
    assert "Traceback" not in told
    assert not project.path("data/models/tiny_llava/model.safetensors").exists()
    assert not project.path(WEIGHTS).exists()
    project.finish(WEIGHTS)
    told = limited(project, resource.RLIMIT_AS, 700 << 20, CARD)
    assert "eyechart: error: not enough memory: the limit is 734 MB, expected at least" in told
    assert not project.path(CARD).exists()
    project.finish(CARD)
    assert project.hashes(*ROOTS) == finished.hashes(*ROOTS)
