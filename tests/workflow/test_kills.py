"""`kill -9` of Snakemake and all its jobs: the next run completes, as if nothing had happened."""

from collections.abc import Callable
from pathlib import Path

import pytest
from project import Project

from eyechart.extraction.shards import Shard
from eyechart.probing import search
from eyechart.rendering import drawing

pytestmark = pytest.mark.workflow

ROOTS = (
    "data/raw",
    "data/models",
    "results/datasets",
    "results/models",
    "results/extraction",
    "results/probing",
)


def test_a_run_killed_while_drawing_extracting_and_probing_ends_as_an_undisturbed_one(
    finished: Project, tmp_path: Path
) -> None:
    project = Project.create(tmp_path / "project")
    # one core here, two in the undisturbed run: bytes do not depend on that either
    run = ("--cores", "1")
    project.kill_at(drawing.save_view, *run, call=5)
    assert len(list(project.folder.glob("data/raw/clevr/images/*/*.png"))) == 4
    project.kill_at(Shard.add, *run)
    assert list(project.folder.glob("results/extraction/*/*/*/.part-*.partial-*"))
    project.kill_at(search.refit, *run)
    assert not list(project.folder.glob("results/probing/*/*/*.parquet"))
    project.finish(*run)
    assert project.hashes(*ROOTS) == finished.hashes(*ROOTS)
    assert project.plan() == {}


def test_two_runs_at_once_are_refused_but_no_lock_outlives_its_run(
    copy: Callable[[], Project],
) -> None:
    project = copy()
    project.configure({"report": {"title": "Other"}})

    def a_second_run_is_refused() -> None:
        refused = project.run()
        assert refused.returncode == 1
        assert "Directory cannot be locked" in refused.stdout

    project.kill_at(search.refit, "--forcerun", "train_probes", meanwhile=a_second_run_is_refused)
    assert list(project.folder.glob(".snakemake/locks/*.lock"))
    project.finish()
