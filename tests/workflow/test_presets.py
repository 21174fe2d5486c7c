"""The presets can be planned, the largest of them soon enough to be planned often."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from project import Project

pytestmark = pytest.mark.workflow
SECONDS = 30  # for some 2,800 jobs; 12 s for the 2,046 that are about CLEVR


def planned(project: Project, preset: str) -> str:
    """Give the plan of a preset, without its jobs one by one."""
    command = [sys.executable, "-m", "snakemake", "-n", "-q", "rules", "--configfile", preset]
    done = subprocess.run(
        command,
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_all_models_on_all_datasets_are_planned_in_half_a_minute(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    plan = planned(project, "config/presets/paper.yaml")
    # of this process alone: a busy machine plans no slower by it
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < SECONDS
    models = yaml.safe_load(project.path("config/presets/paper.yaml").read_text())["models"]
    assert f"describe_model {len(models)}" in " ".join(plan.split())


def test_small_public_models_are_planned_beside_drawn_pictures(tmp_path: Path) -> None:
    plan = planned(Project.create(tmp_path / "project"), "config/presets/laptop.yaml")
    assert "pull_model 3" in " ".join(plan.split())
    assert "draw_scenes" in plan


def test_the_paper_preset_leaves_out_only_what_nobody_pinned(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    models = yaml.safe_load(project.path("config/presets/paper.yaml").read_text())["models"]
    registered = {path.stem for path in project.path("config/models").glob("*.yaml")}
    left_out = {name for name in registered - set(models) if not name.startswith("tiny_")}
    assert left_out == {"molmoe_1b"}
