"""Bad input to real Snakemake: one sentence, exit status 1, no traceback, no lost files."""

import os
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from project import Project, snakemake

pytestmark = pytest.mark.workflow

# Arguments of a dry run, and the expected sentence
MISTAKES = {
    "misspelt key": (["--config", "sed=3"], "unknown key 'sed'; did you mean 'seed'?"),
    "misspelt value": (
        ["--config", "tiny_models={weights: shiped}"],
        "tiny_models.weights is 'shiped'; did you mean 'shipped'?",
    ),
    "unknown model": (["--config", "models=[tiny_lava]"], "did you mean 'tiny_llava'?"),
    "a derived model's own folder": (
        ["--config", "checkpoints={tiny_llava_eyes: mine}"],
        "checkpoints: tiny_llava_eyes is derived from tiny_llava, not taken from a folder",
    ),
    "unknown task": (
        ["--config", "datasets={clevr: {tasks: [x]}}"],
        "unknown task 'x'; There are:",
    ),
    "unknown target": (
        ["results/probing/tiny_llava/clever/color.parquet"],
        "unknown dataset 'clever'; did you mean 'clevr'?",
    ),
}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which no job has run."""
    return Project.create(tmp_path_factory.mktemp("fresh") / "project")


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_configuration_is_a_one_sentence_error(name: str, fresh: Project) -> None:
    arguments, expected = MISTAKES[name]
    done = fresh.run("-n", *arguments)
    assert done.returncode == 1
    (sentence,) = [line for line in done.stdout.splitlines() if line.startswith("eyechart: error:")]
    assert expected in sentence
    assert "Traceback" not in done.stdout


def test_the_project_s_own_config_file_is_read_strictly(tmp_path: Path, fresh: Project) -> None:
    project = fresh.clone(tmp_path / "project")
    project.path("config/config.yaml").write_bytes("title: caf\xe9\n".encode("latin-1"))
    done = snakemake(project.folder, "-n")
    assert done.returncode == 1
    (sentence,) = [line for line in done.stdout.splitlines() if line.startswith("eyechart: error:")]
    assert "config/config.yaml: not UTF-8: byte 0xe9 in line 1" in sentence
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("name", [b"a:b", b"a\xffb"])
def test_a_path_that_cannot_be_used_is_a_one_sentence_error(
    name: bytes, fresh: Project, tmp_path: Path
) -> None:
    project = fresh.clone(tmp_path / os.fsdecode(name))
    done = project.run("-n")
    assert done.returncode == 1 and "Traceback" not in done.stdout
    (sentence,) = [line for line in done.stdout.splitlines() if line.startswith("eyechart: error:")]
    assert sentence.endswith("; rename the folder")


def test_an_unknown_address_error_lists_the_existing_ones_and_loses_nothing(
    finished: Project, tmp_path: Path
) -> None:
    project = finished.clone(tmp_path / "project")
    project.configure({"extraction": {"addresses": ["vison.1"]}})
    done = project.run("--until", "extract_encoder")
    assert done.returncode == 1
    # printed where it happens, and again at the end, where users look
    sentences = [line for line in done.stdout.splitlines() if line.startswith("eyechart: error:")]
    assert "vison.1" in sentences[-1] and "vision.1" in sentences[-1]
    assert "Traceback" not in done.stdout
    project.configure({"extraction": {"addresses": finished.config["extraction"]["addresses"]}})
    project.finish()
    assert project.hashes("results/probing") == finished.hashes("results/probing")


def local(project: Project, source: Path) -> Project:
    project.configure(
        {"datasets": {"clevr": {"source": "local", "path": str(source), "splits": ["val"]}}}
    )
    return project


def test_a_users_own_folder_and_zip_are_examined_like_rendered_images(
    finished: Project, tmp_path: Path
) -> None:
    raw = finished.path("data/raw/clevr")
    archive = tmp_path / "CLEVR_v1.0.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for folder in ("images", "scenes", "questions"):
            for path in sorted((raw / folder).rglob("*.*")):
                zipped.write(path, f"CLEVR_v1.0/{path.relative_to(raw)}")
    tables = []
    for source in (raw, archive):
        project = local(Project.create(tmp_path / f"from_{source.suffix or 'folder'}"), source)
        project.finish("results/datasets/clevr/items.parquet")
        tables.append(project.hashes("results/datasets"))
    assert tables[0] == tables[1]


def test_a_truncated_zip_is_a_one_sentence_error(tmp_path: Path, fresh: Project) -> None:
    archive = tmp_path / "cut.zip"
    archive.write_bytes(b"PK\x03\x04 and no more")
    project = local(fresh.clone(tmp_path / "project"), archive)
    done = project.run("results/datasets/clevr/items.parquet")
    assert done.returncode == 1
    assert f"eyechart: error: {archive}" in done.stdout
    assert "Traceback" not in done.stdout
    assert not project.path("data/raw/clevr/acquired.json").exists()


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of 16 KiB, or skip the test with a reason."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a full disk was not tested: mounting a small one needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(
    "target",
    [
        "data/raw/clevr/shards/val-000.json",
        "data/models/tiny_clip/ready.json",
        "results/extraction/tiny_clip/clevr/image/part-000.parquet",
    ],
)
def test_a_full_disk_is_a_one_sentence_error_and_the_next_run_gives_the_same_bytes(
    target: str, finished: Project, copy: Callable[[], Project]
) -> None:
    project = copy()
    top = Path(*Path(target).parts[:3])
    project.path(str(top)).rename(project.path("aside"))
    with small_disk(project.path(str(top))):
        done = project.run(target)
        assert done.returncode == 1
        assert "eyechart: error: no space left on the device" in done.stdout
        assert "Traceback" not in done.stdout
        assert not project.path(target).exists()
    project.finish(target)
    made = project.hashes(str(top))
    assert target in made
    assert made.items() <= finished.hashes(str(top)).items()
