"""The files that are chosen from a checkpoint, its companions or a user's folder."""

import json
import shutil
from pathlib import Path

import pytest
from checkpoint_fixture import (
    BESIDE,
    FOLDER,
    LOCK,
    READY,
    REPOSITORY,
    WEIGHTS,
    pull,
    pulled,
    serving_clip,
    spec,
)
from hub_server import Repository, files_of
from tiny_models import build_clip

from eyechart.core.errors import UserError
from eyechart.models.sources import link_local_model, revision_lock
from eyechart.models.sources.hub_files import choose


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return files_of(build_clip(tmp_path_factory.mktemp("checkpoint") / "clip"))


@pytest.fixture
def hub(tmp_path, monkeypatch, checkpoint):
    with serving_clip(tmp_path, monkeypatch, checkpoint) as server:
        yield server


@pytest.fixture
def companions(hub, checkpoint) -> dict[str, str]:
    """Create two repositories that the first one's code loads by name; return their commits."""
    hub.repositories["lm/words"], hub.repositories["owner/tower"] = Repository(), Repository()
    words = {"tokenizer.model": b"words", "config.json": b"{}", WEIGHTS: bytes(99)}
    tower = {"config.json": b"{}", "pytorch_model.bin": b"tower", "modeling_tower.py": b"raise"}
    spec(companions={"lm/words": "tokenizer", "owner/tower": "all"}, weights="bin")
    own = {name: data for name, data in checkpoint.items() if name != WEIGHTS}
    hub.repositories[REPOSITORY].commit(own | {"pytorch_model.bin": b"own"})
    return {
        "lm/words": hub.repositories["lm/words"].commit(words),
        "owner/tower": hub.repositories["owner/tower"].commit(tower),
    }


def test_companions_are_saved_in_folders_with_their_names(hub, companions):
    ready = pull()
    beside = {name for name in pulled() if "/" in name}
    assert beside == {
        *("lm/words/tokenizer.model", "lm/words/config.json"),
        *("owner/tower/pytorch_model.bin", "owner/tower/config.json"),
    }
    assert beside < {entry["path"] for entry in ready["files"]}


def test_a_companion_keeps_its_first_commit(hub, companions):
    pull()
    shutil.rmtree(FOLDER)
    hub.repositories["lm/words"].commit({"tokenizer.model": b"other", "config.json": b"{}"})
    pull()
    assert pulled()["lm/words/tokenizer.model"] == b"words"
    assert revision_lock.read(LOCK)["lm/words", "main"] == companions["lm/words"]


def test_a_users_own_subfolder_is_left_alone(hub, companions):
    pull()
    (FOLDER / "groundingLMM").mkdir()
    (FOLDER / "groundingLMM/model.py").write_text("code")
    (FOLDER / "stray.json").write_text("{}")
    READY.unlink()
    pull()
    assert (FOLDER / "groundingLMM/model.py").exists()
    assert not (FOLDER / "stray.json").exists()


def test_companions_in_a_users_folder_are_linked_too(hub, companions, checkpoint):
    pull()
    mine = FOLDER.rename("mine")
    (mine / "ready.json").unlink()
    there = set(files_of(mine))
    take(mine)
    assert set(pulled()) == there
    shutil.rmtree(mine / "lm")
    assert "lm/words/tokenizer.model" not in {e["path"] for e in take(mine)["files"]}


@pytest.fixture
def mine(hub, checkpoint) -> Path:
    """Return a user's folder with the checkpoint and many other files."""
    folder = Path("mine")
    for name, data in (checkpoint | BESIDE).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def take(source: Path, *more: str) -> dict[str, object]:
    arguments = ["--model", "clip", "--source", str(source), "--spec", "config/models/clip.yaml"]
    link_local_model.main([*arguments, *more, "--output", str(READY)])
    return json.loads(READY.read_text())


def test_a_folder_is_linked_without_copies_or_requests(hub, mine, checkpoint):
    ready = take(mine)
    assert pulled() == checkpoint
    assert all(path.is_symlink() for path in FOLDER.iterdir() if path != READY)
    assert [entry["path"] for entry in ready["files"]] == sorted(checkpoint)
    assert hub.asked == []


def test_another_folder_replaces_the_first(hub, mine, checkpoint):
    take(mine)
    other = mine.rename("other")
    (other / "processor_config.json").unlink()
    take(other)
    assert "processor_config.json" not in pulled()


def test_a_pull_replaces_links_and_keeps_the_users_files(hub, mine, checkpoint):
    take(mine)
    pull()
    assert pulled() == checkpoint
    assert not any(path.is_symlink() for path in FOLDER.iterdir())
    assert set(files_of(mine)) == {*checkpoint, *BESIDE}


def test_a_folder_already_in_the_models_place_is_used(hub, mine, checkpoint):
    FOLDER.parent.mkdir(parents=True)
    mine.rename(FOLDER)
    assert [entry["path"] for entry in take(FOLDER)["files"]] == sorted(checkpoint)
    assert (FOLDER / "README.md").exists()


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        (["config.json"], "mine: has no config.json, so it is not a checkpoint"),
        ([WEIGHTS, "consolidated.safetensors"], "mine: has pickled weights only"),
    ],
)
def test_a_folder_that_is_not_a_checkpoint_is_refused(hub, mine, lost, expected):
    for name in lost:
        (mine / name).unlink()
    with pytest.raises(UserError, match=expected):
        take(mine)
    assert not FOLDER.exists()


def test_a_missing_folder_is_reported(hub):
    with pytest.raises(UserError, match="mien: no such folder; expected a folder in Hugging Face"):
        take(Path("mien"))


def test_code_in_a_users_folder_needs_permission_but_no_commit(hub, mine):
    spec(trust_remote_code=True)
    with pytest.raises(UserError, match=r"write remote_code: \[clip\]"):
        take(mine)
    take(mine, "--allow-remote-code")
    assert "modeling_clip.py" in pulled()


def test_mistrals_own_layout_is_used_if_there_is_no_other():
    own = ["params.json", "tekken.json", "consolidated.safetensors", "README.md"]
    assert choose("here", own, "safetensors", False) == sorted(own)[1:]
    both = [*own, "config.json", "model.safetensors"]
    assert choose("here", both, "safetensors", False) == [
        *("config.json", "model.safetensors", "tekken.json")
    ]


def test_missing_weights_are_reported_with_the_existing_files():
    with pytest.raises(UserError, match=r"has no weights \(found: README.md\)"):
        choose("here", ["README.md"], "safetensors", False)
    with pytest.raises(
        UserError, match="has safetensors, so the spec need not name another format"
    ):
        choose("here", ["config.json", "model.safetensors"], "bin", False)
