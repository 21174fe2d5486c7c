"""Snakemake commands in documents can be planned, and the paths in them exist."""

import itertools
import re
import shutil
from pathlib import Path
from typing import Any

import planner
import pytest
from documented_commands import ROOT, Command, in_docstrings, in_texts
from project import Project, snakemake

from eyechart.plan import paths

pytestmark = pytest.mark.workflow

TEXTS = in_texts()
OF_SNAKEMAKE = [c for c in TEXTS if c.words[0].rsplit("/")[-1] == "snakemake"]
# Only `make cluster` installs executors; the Slurm tests run these profiles
EXECUTORS = ("profiles/slurm", "profiles/generic")
PRESETS = [
    f"config/presets/{name}.yaml"
    for name in ("causal", "clevr_official", "encoders", "full_demo", "hidden", "laptop", "tuning")
]
# A user's config, for documents that do not show one
OWN = "{models: [tiny_clip], datasets: {clevr: {layout: clevr, source: render, splits: {val: 9}}}}"
# Missing from all presets: datasets that must be downloaded, a user's data, a derived model, traces
# and mined pairs in parts
EXTRA = """
models: [tiny_llava, tiny_llava_prior, tiny_clip, tiny_dino]
datasets:
  clevr: {layout: clevr, source: render, splits: {val: 9}}
  spair: {layout: spair, source: download}
  hpatches: {layout: hpatches, source: download}
  mine: {layout: table, source: local, path: data/mine/questions.csv}
  cv_bench: {layout: cv_bench, source: render, splits: {test: 9}, parts: 2}
attention: {datasets: [cv_bench]}
mining:
  datasets: [clevr]
  pairs: [[tiny_clip, tiny_dino]]
  vectors: {tiny_clip: connector/cls, tiny_dino: vision.3/image_mean}
  parts: 2
"""
OF_CONDA = ("--use-conda", "--conda-create-envs-only", "--containerize")
ELSEWHERE = {"~/eyechart/Snakefile": "Snakefile", "/data/exam": "exam"}  # on a user's machine
CARD = "results/models/tiny_llava/card.html"
_FILE = re.compile(r"(?:results|data)/[\w./{}-]+")


def named(command: Command) -> str:
    return f"{command.source}: {command.line[:70]}"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A fresh copy of the project, used only for planning."""
    return Project.create(tmp_path_factory.mktemp("commands") / "project")


@pytest.mark.parametrize("command", OF_SNAKEMAKE, ids=named)
def test_a_documented_run_can_be_planned(command: Command, project: Project) -> None:
    words = list(itertools.takewhile(lambda word: word != ">", command.words[1:]))
    if not shutil.which("conda"):
        words = [word for word in words if word not in OF_CONDA]
    places = {name: str(project.path(own)) for name, own in ELSEWHERE.items()}
    words = [*(places.get(word, word) for word in words), "-n", "--quiet"]
    for profile in EXECUTORS:
        if profile in words:
            assert (ROOT / profile / "config.yaml").exists()
            words[words.index(profile) - 1 : words.index(profile) + 1] = []
    if "--configfile" in words:
        name = words[words.index("--configfile") + 1]
        if not (ROOT / name).exists():
            own = command.config or OWN
            project.path(name).write_text(own.replace("<40 hex digits>", "c0ffee" + "0" * 34))
    done = snakemake(project.folder, *words)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def made(project: Project) -> set[str]:
    """All files that the workflow can make for the demo, its training, presets and EXTRA."""
    project.path("data/mine").mkdir(parents=True)
    project.path("data/mine/questions.csv").write_text("image,prompt,task\n1.png,What?,a\n")
    project.path("extra.yaml").write_text(EXTRA)
    train = {"tiny_models": {"weights": "train"}}
    wanted: list[dict[str, Any]] = [
        *({"configfiles": [file], "config": {}} for file in (*PRESETS, "extra.yaml")),
        {"configfiles": [], "config": {}},
        {"configfiles": [], "config": {}, "targets": [CARD, "results/speed/index.html"]},
        {"configfiles": [], "config": train, "targets": ["train_tiny"]},
        {"configfiles": [], "config": {}, "targets": ["calibration"]},
    ]
    found: set[str] = set()
    for one in wanted:
        found |= {path for job in planner.jobs(project.folder, **one) for path in job["outputs"]}
    return found


@pytest.mark.parametrize("command", in_docstrings(), ids=named)
def test_a_step_is_shown_with_files_that_the_workflow_makes(
    command: Command, made: set[str]
) -> None:
    line = re.sub(r"--source \S+", "", command.line)  # the user's file
    single = (pattern for pattern in paths.PATTERNS.values() if not pattern.names)
    kept = {pattern.text.replace("<results>", "results") for pattern in single}
    folders = {parent.as_posix() for path in made for parent in Path(path).parents}
    unknown = [
        path
        for path in _FILE.findall(line)
        if path not in made | folders | kept and not (ROOT / path).exists()
    ]
    assert not unknown, f"{command.source} shows {unknown}, which the workflow does not make"
