"""A model from a hub, with real Snakemake: pulled once, repeated only if needed, described.

The hub is a server on this machine; nothing here uses the network.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hub_server import TOKEN, HubServer, Repository, files_of, serving
from project import ROOT, Project

pytestmark = pytest.mark.workflow
CARD = "results/models/hub_clip/card.json"
PULLED = "data/models/hub_clip/ready.json"
SPEC = "config/models/hub_clip.yaml"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.repositories["owner/clip"] = Repository()
        server.repositories["owner/clip"].commit(files_of(ROOT / "data/weights/tiny_clip"))
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.create(tmp_path / "project")
    spec = yaml.safe_load(project.path("config/models/tiny_clip.yaml").read_text())
    spec |= {"checkpoint": "owner/clip", "revision": "main"}
    project.path(SPEC).write_text(yaml.safe_dump(spec))
    return project


def test_a_model_is_pulled_once_and_again_only_if_needed(hub: HubServer, project: Project) -> None:
    assert project.plan(CARD) == {"pull_model": 1, "describe_model": 1}
    project.finish(CARD)
    ready = json.loads(project.path(PULLED).read_text())
    assert json.loads(project.path(CARD).read_text())["parameters"]
    assert project.plan(CARD) == {}
    first = ready["commit"]
    project.edit(SPEC, "licence: Apache-2.0", "licence: Apache-1.0")  # only describe_model reads it
    assert project.plan(PULLED) == {}
    lock = project.path("data/models.lock.tsv").read_text()
    assert lock.splitlines()[1] == f"owner/clip\tmain\t{first}"
    project.configure({"revisions": {"hub_clip": first}})
    assert project.plan(PULLED) == {"pull_model": 1}


def test_no_log_or_record_of_a_run_shows_the_token(
    hub: HubServer, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["owner/clip"].gated = "auto"
    for token, status in ((f"{TOKEN[:6]}\r\n{TOKEN[6:]}", 1), (f" {TOKEN}\n", 0)):
        monkeypatch.setenv("HF_TOKEN", token)
        done = project.run(PULLED, "--verbose")
        assert done.returncode == status, done.stdout
        folders = (
            project.path(name) for name in ("logs", "benchmarks", "data/models", ".snakemake")
        )
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        assert any(path.suffix == ".log" for path in files)
        texts = {str(path): path.read_text(errors="replace") for path in files}
        for name, text in (texts | {"console": done.stdout}).items():
            assert TOKEN[:6] not in text and TOKEN[4:] not in text, name


def test_a_user_may_give_a_folder_and_a_refusal_is_a_one_sentence_error(
    hub: HubServer, project: Project, tmp_path: Path
) -> None:
    hub.repositories["owner/clip"].gated = "auto"
    done = project.run(PULLED)
    assert done.returncode == 1
    sentences = [line for line in done.stdout.splitlines() if line.startswith("eyechart: error:")]
    assert "owner/clip is gated, and HF_TOKEN is not set" in sentences[-1]
    assert "Traceback" not in done.stdout
    mine = shutil.copytree(ROOT / "data/weights/tiny_clip", tmp_path / "my weights")
    project.configure({"checkpoints": {"hub_clip": str(mine)}})
    project.finish(CARD)
    assert project.path("data/models/hub_clip/model.safetensors").is_symlink()
    assert project.plan(CARD) == {}
    (mine / "model.safetensors").unlink()
    assert "files listed in data/models/hub_clip/ready.json are made" in project.run(CARD).stdout
