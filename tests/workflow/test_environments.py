"""Each model in its own environment, with real Snakemake: planned with conda, run without."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from project import ROOT, Project

from eyechart.plan import environments

pytestmark = pytest.mark.workflow
ENVS = {"tiny_clip": "base", "clip_tv": "torchvision", "clip_old": "legacy_4_48"}
CARDS = [f"results/models/{model}/card.json" for model in ENVS]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Three models with the same weights, each in a different environment."""
    project = Project.create(tmp_path / "project")
    weights = shutil.copytree(ROOT / "data/weights/tiny_clip", project.path("mine"))
    for model, env in ENVS.items():
        spec = yaml.safe_load(project.path("config/models/tiny_clip.yaml").read_text())
        spec |= {"checkpoint": str(weights), "env": env}
        if model != "tiny_clip":
            project.path(f"config/models/{model}.yaml").write_text(yaml.safe_dump(spec))
    project.configure({"models": list(ENVS)})
    return project


@pytest.fixture
def conda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A conda that only prints its path."""
    told = {"conda_prefix": str(tmp_path), "platform": "linux-64", "version": "26.7.1"}
    told |= {"get": {"channel_priority": "strict"}}
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/conda"
    fake.write_text(f"#!/bin/sh\ncat <<'E'\n{json.dumps(told)}\nE\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")


def test_with_conda_every_job_that_loads_a_model_names_the_models_environment(
    project: Project, conda: None
) -> None:
    output = project.finish("-n", "--use-conda")
    named = re.findall(
        r"Job \d+: \w+: (?:Describing|Extracting) (\w+)\b.*, in (\w+)$", output, re.M
    )
    assert {model for model, _ in named} == set(ENVS)
    assert all(env == ENVS[model] for model, env in named)
    assert len(named) == len(ENVS) * (1 + project.config["datasets"]["clevr"]["parts"])
    listed = project.finish("--use-conda", "--list-conda-envs")
    assert set(re.findall(r"envs/(\w+)\.yaml", listed)) == set(ENVS.values())
    assert "is not built" not in output


def test_moving_software_or_editing_comments_reruns_nothing(project: Project, conda: None) -> None:
    """A change of the pins does, since they are in the params."""
    project.configure({"models": ["tiny_clip"]})
    project.finish(CARDS[0])
    assert project.plan(CARDS[0]) == project.plan(CARDS[0], "--use-conda") == {}
    with open(project.path("envs/base.yaml"), "a") as file:
        file.write("# a comment\n")
    assert project.plan(CARDS[0]) == project.plan(CARDS[0], "--use-conda") == {}
    project.edit("requirements.lock", "numpy==", "numpy ==")
    assert project.plan(CARDS[0], "--use-conda") == {"describe_model": 1}


def test_a_dry_run_shows_the_rule_and_the_reason_of_every_job(project: Project) -> None:
    output = project.finish("-n", CARDS[0])
    shown = re.findall(r"Job \d+: (\w+): .*\n\s*Reason: (.*)", output)
    assert [rule for rule, _ in shown] == ["install_weights", "describe_model"]
    assert all(reason.startswith("Missing output files: ") for _, reason in shown)


def build(project: Project, env: str) -> Path:
    """Replace the Python of a built environment with one that logs its calls."""
    folder = project.path(f".venvs/{env}")
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin/python"
    python.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (folder / "installed").write_text(environments.pins_hash(env))
    return folder / "calls"


def test_without_conda_a_job_uses_makes_environment_or_gives_the_remedy(project: Project) -> None:
    done = project.run(*CARDS)
    assert done.returncode == 1
    for env in ("torchvision", "legacy_4_48"):  # reported before the run and by the job
        sentence = f"the environment {env} is not built; run `make env ENV={env}`, or snakemake"
        assert f"eyechart: {sentence}" in done.stdout
        assert f"eyechart: error: {sentence}" in done.stdout
    assert "Traceback" not in done.stdout
    assert project.path(CARDS[0]).exists()  # the other model is not affected
    calls = [build(project, env) for env in ("torchvision", "legacy_4_48")]
    project.finish(*CARDS)
    for made in calls:
        assert made.read_text().startswith("-m eyechart.models.describe_model")
    assert project.plan(*CARDS) == {}
    shutil.rmtree(project.path(".venvs"))  # the path of software does not rerun jobs
    assert project.plan(*CARDS) == {}
    project.edit("envs/legacy_4_48.yaml", "einops==0.8.2", "einops==0.8.1")
    assert project.plan(*CARDS) == {"describe_model": 1}
