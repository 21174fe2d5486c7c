"""A run with the generic profile, on a queue that runs jobs in the background."""

import subprocess
from pathlib import Path

import pytest
from project import ROOT, Project
from stopping_steps import hold, release, wait_until

from eyechart.models.load import load

pytestmark = pytest.mark.cluster

TARGETS = ["results/datasets/clevr/items.parquet", "results/models/tiny_clip/card.json"]
ROOTS = ("data/raw", "results/datasets", "results/models")


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Add the queue's commands to PATH; return the folder where it keeps its jobs."""
    folder = tmp_path / "queue"
    folder.mkdir()
    monkeypatch.setenv("FAKE_QUEUE", str(folder))
    monkeypatch.setenv("PATH", str(ROOT / "tests/slurm/queue"), prepend=":")
    return folder


def test_jobs_go_through_a_queue_and_a_vanished_one_is_resubmitted(
    queue: Path, tmp_path: Path
) -> None:
    project = Project.create(tmp_path / "project")
    log = project.path("run.log")
    profile = ["--profile", "profiles/generic", "--latency-wait", "5"]
    quick = ["--seconds-between-status-checks", "2"]
    reached = hold(project.path("workflow"), load)  # only describe_model calls it
    with open(log, "w") as file:
        run = subprocess.Popen(
            project.command(*profile, *quick, *TARGETS),
            cwd=project.folder,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        wait_until(reached.exists, run)
        vanish(queue, "describe_model")
        release(project.path("workflow"))
        assert run.wait(timeout=300) == 0, log.read_text()
    asked = [path.read_text() for path in sorted(queue.glob("*.asked"))]
    assert len([text for text in asked if "-N draw" in text]) == 1  # four shards in one job
    assert len([text for text in asked if "-N tables" in text]) == 1
    first, again = [text for text in asked if "-N describe_model" in text]
    assert memory_mb(again) == pytest.approx(1.5 * memory_mb(first), abs=1)
    assert len(asked) == 4
    here = Project.create(tmp_path / "here")
    here.finish(*TARGETS)
    assert project.hashes(*ROOTS) == here.hashes(*ROOTS)


def vanish(queue: Path, rule: str) -> None:
    """End the only job of a rule while it runs, without writing an exit status."""
    (job,) = [path.stem for path in queue.glob("*.asked") if f"-N {rule}" in path.read_text()]
    subprocess.run(["qdel", job], check=True)


def memory_mb(asked: str) -> int:
    """Return the memory that a job requested."""
    return int(asked.split(":mem=")[1].split("mb", maxsplit=1)[0])
