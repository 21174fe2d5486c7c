"""The workflow in other settings: another folder, another workflow, a named run, a container."""

import json
from pathlib import Path

import pytest
import yaml
from project import Project, snakemake
from test_environments import conda  # noqa: F401  (a fixture)

pytestmark = pytest.mark.workflow

CARD = "results/models/tiny_clip/card.json"
SMALL = {
    "models": ["tiny_clip"],
    "datasets": {"clevr": {"layout": "clevr", "source": "render", "splits": {"val": 9}}},
}
# Written by tools that deploy workflows, with a clone's folder in place of a URL
DEPLOYED = """
configfile: "config/config.yaml"

module eyechart:
    snakefile: "{project}/workflow/Snakefile"
    config: config

use rule * from eyechart
"""
AMONG_OTHERS = """
configfile: "config/outer.yaml"

module eyechart:
    snakefile: "{project}/workflow/Snakefile"
    config: config["exam"]

use rule * from eyechart as eyechart_*

rule all:
    default_target: True
    input: "sizes.txt"

rule sizes:
    input: "results/models/tiny_clip/card.json"
    output: "sizes.txt"
    shell: "wc -c < {{input}} > {{output}}"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "project")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "else where"
    folder.mkdir()
    return folder


def finish(folder: Path, *words: str) -> str:
    done = snakemake(folder, "--cores", "2", *words)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_another_folder_gets_shipped_files_and_its_own_take_precedence(
    project: Project, elsewhere: Path
) -> None:
    """A real run there; with --directory, a third folder then has nothing to do."""
    own = elsewhere / "config/models/mine.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("derived: {from: tiny_llava, by: prior}")
    snakefile = str(project.path("Snakefile"))
    finish(elsewhere, CARD, "--snakefile", snakefile)
    assert json.loads((elsewhere / CARD).read_text())["model"] == "tiny_clip"
    assert not project.path("results").exists() and not own.is_symlink()
    assert (elsewhere / "config/models/tiny_clip.yaml").is_symlink()
    planned = finish(elsewhere, "results/models/mine/card.json", "-n", "--snakefile", snakefile)
    assert "Deriving mine from data/models/tiny_llava" in planned
    again = finish(
        elsewhere.parent, CARD, "-n", "--directory", str(elsewhere), "--snakefile", snakefile
    )
    assert "Nothing to be done" in again


@pytest.mark.parametrize("where", ["Snakefile", "workflow/Snakefile"])
def test_both_snakefiles_plan_the_same(where: str, project: Project, elsewhere: Path) -> None:
    project.path("mine.yaml").write_text(yaml.safe_dump(SMALL))
    config = ["--configfile", str(project.path("mine.yaml"))]
    planned = finish(elsewhere, "-n", "--snakefile", str(project.path(where)), *config)
    assert "build_report: Building the report" in planned


def test_a_deployed_workflow_runs_from_its_own_folder(project: Project, elsewhere: Path) -> None:
    (elsewhere / "workflow").mkdir()
    (elsewhere / "config").mkdir()
    (elsewhere / "workflow/Snakefile").write_text(DEPLOYED.format(project=project.folder))
    (elsewhere / "config/config.yaml").write_text(yaml.safe_dump(SMALL))
    planned = finish(elsewhere, "-n")
    assert "build_report: Building the report" in planned
    (elsewhere / "config/config.yaml").write_text("modles: [tiny_clip]\n")
    done = snakemake(elsewhere, "-n")
    (sentence,) = [line for line in done.stdout.splitlines() if line.startswith("eyechart: error")]
    assert sentence.startswith("eyechart: error: config/config.yaml: unknown key 'modles'")
    assert done.returncode == 1 and "Traceback" not in done.stdout


def test_a_module_makes_the_files_that_other_rules_request(
    project: Project, elsewhere: Path
) -> None:
    """A real run; the outer workflow names the rules of both."""
    (elsewhere / "config").mkdir()
    (elsewhere / "Snakefile").write_text(AMONG_OTHERS.format(project=project.folder))
    (elsewhere / "config/outer.yaml").write_text(yaml.safe_dump({"exam": SMALL, "mine": 1}))
    output = finish(elsewhere)
    assert "eyechart_describe_model: Describing tiny_clip" in output
    size = int((elsewhere / "sizes.txt").read_text())
    assert size == (elsewhere / CARD).stat().st_size > 1000
    assert "Nothing to be done" in finish(elsewhere, "-n")


def test_named_runs_coexist(project: Project) -> None:
    """Two real runs: neither reruns the other, and they differ like their configurations."""
    items = "results/datasets/clevr/items.parquet"
    first = [items, "--configfile", "small.yaml"]
    second = [f"runs/b/{items}", *first[1:], "--config", "run=b", "seed=8"]
    for words in (first, second):
        finish(project.folder, *words)
    assert "Nothing to be done" in finish(project.folder, "-n", *first)
    assert "Nothing to be done" in finish(project.folder, "-n", *second)
    one, other = (project.path(f"{root}{items}").read_bytes() for root in ("", "runs/b/"))
    assert one != other
    for folder in ("runs/b/logs", "runs/b/benchmarks", "runs/b/data/raw/clevr", "data/raw/clevr"):
        assert project.path(folder).is_dir()
    planned = finish(project.folder, "-n", "-p", *second[1:])
    outputs = [line for line in planned.splitlines() if " --output " in line]
    assert outputs and all("--output runs/b/" in o or "--output data/models" in o for o in outputs)
    done = snakemake(project.folder, "-n", *second[1:-2], "run=B/c")
    assert "run is 'B/c', expected the form" in done.stdout and "Traceback" not in done.stdout


def test_damage_in_a_named_run_is_found(project: Project) -> None:
    words = ["--configfile", "small.yaml", "--config", "run=b"]
    receipt = "runs/b/data/raw/clevr/acquired.json"
    finish(project.folder, receipt, *words)
    lost = next(project.path("runs/b/data/raw/clevr/images").rglob("*.png"))
    lost.unlink()
    planned = finish(project.folder, "-n", receipt, *words)
    assert f"{lost.relative_to(project.folder)} is missing" in planned
    assert "write_drawn" in planned


def test_a_dockerfile_has_every_environment(project: Project, conda: None) -> None:  # noqa: F811
    output = finish(project.folder, "--containerize")
    names = {path.stem for path in project.path("envs").glob("*.yaml")}
    assert {name for name in names if f"envs/{name}.yaml" in output} == names


def test_the_catalog_file_uses_known_keys() -> None:
    root = Path(__file__).resolve().parents[2]
    usage = yaml.safe_load((root / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage) <= {"mandatory-flags", "software-stack-deployment", "report"}
    deployment = usage["software-stack-deployment"]
    assert deployment == {"conda": True, "apptainer": False, "apptainer+conda": True}
    assert (root / "workflow/Snakefile").is_file()  # where the catalog looks
