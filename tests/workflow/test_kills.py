"""`kill -9` of Snakemake and all its jobs: the next run completes, as if nothing had happened."""

from collections.abc import Callable
from pathlib import Path

import pytest
from project import Project

pytestmark = pytest.mark.workflow

ROOTS = (
    "data/raw",
    "data/models",
    "results/datasets",
    "results/models",
    "results/activations",
    "results/probes",
)


def any_file(project: Project, pattern: str) -> Callable[[], bool]:
    return lambda: any(project.folder.glob(pattern))


def test_a_run_killed_while_drawing_extracting_and_probing_ends_as_an_undisturbed_one(
    finished: Project, tmp_path: Path
) -> None:
    project = Project.create(tmp_path / "project")
    # one core here, two in the undisturbed run: bytes do not depend on that either
    run = ("--cores", "1")
    project.kill_when(any_file(project, "data/raw/clevr/images/train/*.png"), *run)
    assert not project.path("data/raw/clevr/acquired.json").exists()
    project.kill_when(any_file(project, "results/activations/*/*/*/.part-*.partial-*"), *run)
    assert not any_file(project, "results/activations/*/*/*/manifest.json")()
    project.kill_when(any_file(project, "logs/train_probes/*/*/*.log"), *run)
    assert not any_file(project, "results/report/index.html")()
    project.finish(*run)
    assert project.hashes(*ROOTS) == finished.hashes(*ROOTS)
    assert project.plan() == {}


def test_two_runs_at_once_are_refused_but_no_lock_outlives_its_run(
    copy: Callable[[], Project],
) -> None:
    project = copy()
    project.configure({"report": {"title": "Other"}})
    seen = []

    def second_run_is_refused() -> bool:
        if any_file(project, ".snakemake/locks/*.lock")() and not seen:
            seen.append(project.run())
        return bool(seen)

    # far more to do than the second run takes to start: the first must still be there
    project.kill_when(second_run_is_refused, "--forcerun", "train_probes")
    assert seen[0].returncode == 1
    assert "Directory cannot be locked" in seen[0].stdout
    assert any_file(project, ".snakemake/locks/*.lock")()
    project.finish()
