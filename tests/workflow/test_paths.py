"""Another folder of results: every job is planned there, and nothing is left where it was."""

from pathlib import Path

import pytest
from project import Project

pytestmark = pytest.mark.workflow


def test_results_can_be_moved(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    before, jobs = project.finish("-n", "-p"), project.plan()
    assert jobs["extract_vlm"] and jobs["decide"] and jobs["prepare_dataset"]
    version = 'min_version("9.27.1")\n'
    project.edit("Snakefile", version, f'{version}\n\npathvars:\n    results="else/where",\n')
    after = project.finish("-n", "-p")
    assert project.plan() == jobs
    assert "results/" in before and "results/" not in after
    done = project.run("-n", "else/where/probes/tiny_lava/clevr/shape.parquet")
    assert "did you mean 'tiny_llava'?" in done.stdout
