"""The presets can be planned; how long that takes grows with their jobs and not faster."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from project import Project

pytestmark = pytest.mark.workflow


def planned(project: Project, preset: str, *arguments: str) -> str:
    """Give the plan of a preset, without its jobs one by one."""
    command = [sys.executable, "-m", "snakemake", "-n", "-q", "rules", "--configfile", preset]
    command += arguments
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


def test_twice_as_many_models_are_planned_in_about_twice_the_time(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    preset = "config/presets/paper.yaml"
    models = yaml.safe_load(project.path(preset).read_text())["models"]
    spent = []
    for some in (models[::2], models):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        plan = planned(project, preset, "--config", f"models={json.dumps(some)}")
        spent.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    assert f"describe_model {len(models)}" in " ".join(plan.split())
    assert spent[1] < 3 * spent[0]


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
