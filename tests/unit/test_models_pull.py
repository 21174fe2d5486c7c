"""A checkpoint pulled from a hub is resumed, verified and locked, or refused in one sentence."""

import json
import shutil
import threading
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
from checkpoint_fixture import (
    FOLDER,
    LOCK,
    READY,
    REPOSITORY,
    WEIGHTS,
    flags,
    pull,
    pulled,
    serving_clip,
    spec,
)
from hub_server import TOKEN, HubServer, files_of
from stopping_steps import kill_step
from tiny_models import build_clip

from eyechart.core.errors import UserError
from eyechart.models.sources import pull_model, revision_lock


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return files_of(build_clip(tmp_path_factory.mktemp("checkpoint") / "clip"))


@pytest.fixture
def hub(tmp_path, monkeypatch, checkpoint):
    with serving_clip(tmp_path, monkeypatch, checkpoint) as server:
        yield server


def sentence(revision: str = "main", *more: str) -> str:
    with pytest.raises(UserError) as raised:
        pull_model.main(flags(revision, *more))
    assert "\n" not in str(raised.value)
    assert not READY.exists()
    return str(raised.value)


def test_a_checkpoint_is_pulled_with_only_the_files_that_it_needs(hub, checkpoint):
    ready = pull()
    assert pulled() == checkpoint
    assert sorted(hub.fetched()) == sorted(checkpoint)
    assert ready["model"] == "clip"
    assert ready["commit"] == hub.repositories[REPOSITORY].revisions["main"]
    assert {entry["path"]: entry["bytes"] for entry in ready["files"]} == {
        name: len(data) for name, data in checkpoint.items()
    }


def test_no_copy_is_kept_in_a_cache(hub, tmp_path):
    pull()
    kept = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*") if path.is_file()}
    assert kept == {"config", "data"}


def test_the_hashes_of_ready_are_those_of_the_files(hub):
    from eyechart.core.files import sha256

    for entry in pull()["files"]:
        assert sha256(FOLDER / entry["path"]) == entry["sha256"]


def test_a_cut_connection_is_resumed_where_it_broke(hub, checkpoint):
    hub.cuts[WEIGHTS] = [20_000]
    pull()
    assert pulled() == checkpoint
    ranges = [asked.range for asked in hub.asked if "/stored/" in asked.path]
    assert ranges == [None, "bytes=20000-"]


def test_a_killed_pull_is_resumed_by_the_next_run(hub, checkpoint, tmp_path):
    checkpoint = checkpoint | {WEIGHTS: checkpoint[WEIGHTS] + bytes(4 << 20)}
    hub.repositories[REPOSITORY].commit(checkpoint)
    hub.cuts[WEIGHTS], hub.stall = [3 << 20], True
    part = FOLDER / f"{WEIGHTS}.part"

    def is_begun() -> bool:
        return part.exists() and part.stat().st_size > 0

    kill_step("eyechart.models.sources.pull_model", flags(), tmp_path, is_begun)
    assert not READY.exists()
    kept, hub.stall, before = part.stat().st_size, False, len(hub.asked)
    hub.cuts.clear()
    pull()
    assert pulled() == checkpoint
    assert hub.asked[-1].range == f"bytes={kept}-"
    assert sum("/resolve/" in asked.path for asked in hub.asked[before:]) == 1


def test_a_file_that_differs_is_fetched_again_and_the_others_are_not(hub, checkpoint):
    pull()
    for name in (WEIGHTS, "config.json"):  # one has its own SHA-256, the other git's hash
        damaged = bytearray((FOLDER / name).read_bytes())
        damaged[9] ^= 0xFF
        (FOLDER / name).write_bytes(damaged)
        READY.unlink()
        hub.asked.clear()
        pull()
        assert hub.fetched() == [name]
        assert pulled() == checkpoint


def test_bytes_that_differ_from_the_hubs_checksum_are_refused(hub, monkeypatch):
    from eyechart.data.sources.hub import Hub

    original = Hub.snapshot

    def lying(self, *arguments):
        found = original(self, *arguments)
        files = [replace(f, git="0" * 40) if f.path == "config.json" else f for f in found.files]
        return replace(found, files=files)

    monkeypatch.setattr(Hub, "snapshot", lying)
    assert "config.json: differs from the hub's and was removed" in sentence()
    assert not (FOLDER / "config.json").exists()


def test_files_of_an_earlier_revision_are_removed(hub, checkpoint):
    pull()
    files = {name: data for name, data in checkpoint.items() if name != "processor_config.json"}
    commit = hub.repositories[REPOSITORY].commit(files, "next")
    assert pull(commit)["commit"] == commit
    assert pulled() == files


def test_size_licence_gate_and_free_disk_are_shown_before_the_first_file(hub, caplog):
    caplog.set_level("INFO")
    hub.repositories[REPOSITORY].gated = "closed"
    sentence()
    for part in ("licence MIT; the hub says apache-2.0", "gated: yes", "kiB", "to fetch", "free"):
        assert part in caplog.text
    assert hub.fetched() == []


def test_a_full_disk_is_an_error_before_the_first_file(hub, checkpoint, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9, 9, 2048))
    needed = sum(len(data) for data in checkpoint.values())
    told = sentence()
    assert f"{needed} bytes" in told and "2048 bytes" in told
    assert hub.fetched() == []


def test_a_gated_checkpoint_needs_a_token_from_the_environment(hub, checkpoint, monkeypatch):
    hub.repositories[REPOSITORY].gated = "auto"
    saved = Path(".cache/huggingface/token")
    saved.parent.mkdir(parents=True)
    saved.write_text(TOKEN)
    told = sentence()
    assert "owner/clip is gated, and HF_TOKEN is not set; accept its terms" in told
    assert hub.fetched() == []
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    pull()
    assert pulled() == checkpoint


def test_a_token_is_never_sent_to_another_host_or_read_from_netrc(hub, monkeypatch):
    Path(".netrc").write_text("machine 127.0.0.1 login x password y\n")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    pull()
    assert {asked.token for asked in hub.asked if asked.host == "127.0.0.1"} == {TOKEN}
    assert {asked.token for asked in hub.asked if asked.host == "localhost"} == {None}


def test_an_unauthorised_token_is_distinguished_from_a_wrong_one(hub, monkeypatch):
    hub.repositories[REPOSITORY].gated = "closed"
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert "the account of HF_TOKEN has no access" in sentence()
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    assert "the hub answers HTTP 401; correct the token in HF_TOKEN" in sentence()


def test_a_missing_revision_or_repository_is_a_one_sentence_error(hub):
    told = sentence("mian")
    assert "owner/clip has no revision 'mian'" in told and "did you mean 'main'?" in told
    spec(checkpoint="owner/clop")
    assert "the hub has no repository 'owner/clop', or it is private" in sentence()
    spec(checkpoint="a/b/c")
    assert "checkpoint is 'a/b/c', expected a hub repository" in sentence()


def test_an_unreachable_hub_is_a_one_sentence_error(hub, monkeypatch):
    with HubServer() as closed:
        monkeypatch.setenv("HF_ENDPOINT", closed.url)
    assert "the hub cannot be reached" in sentence()


def test_a_revision_that_moved_is_refused_until_the_user_accepts_it(hub, checkpoint, monkeypatch):
    first = pull()["commit"]
    READY.unlink()
    assert LOCK.read_text().splitlines()[1] == f"{REPOSITORY}\tmain\t{first}"
    second = hub.repositories[REPOSITORY].commit(checkpoint | {"merges.txt": b"new"})
    told = sentence()
    assert f"{LOCK}: 'main' of {REPOSITORY} was {first} and is now {second}" in told
    assert f"revisions: {{clip: {first}}}" in told
    assert pull(first)["commit"] == first  # the first remedy
    LOCK.write_text("".join(LOCK.read_text().splitlines(True)[:1]))
    assert pull()["commit"] == second  # the second remedy


def test_concurrent_jobs_lose_no_lines_of_the_lock(tmp_path):
    lock = tmp_path / "models.lock.tsv"
    jobs = [
        threading.Thread(
            target=revision_lock.settle, args=(lock, "m", f"owner/m{n:02}", "main", f"{n:040x}")
        )
        for n in range(20)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [key[0] for key in revision_lock.read(lock)] == [f"owner/m{n:02}" for n in range(20)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model\tcommit\n", "line 1 must be the columns checkpoint, revision, commit"),
        ("checkpoint\trevision\tcommit\na/b\tmain\tabc\n", "line 2 is 'a/b\\tmain\\tabc'"),
    ],
)
def test_a_malformed_lock_is_reported(hub, text, expected):
    LOCK.parent.mkdir(exist_ok=True)
    LOCK.write_text(text)
    assert expected in sentence()


def test_code_of_a_checkpoint_needs_spec_and_user_and_a_commit(hub, checkpoint):
    commit = hub.repositories[REPOSITORY].revisions["main"]
    pull(commit, "--allow-remote-code")
    assert not list(FOLDER.glob("*.py"))  # the spec does not list it
    READY.unlink()
    spec(trust_remote_code=True)
    assert "write remote_code: [clip] in the configuration" in sentence(commit)
    assert "must be a commit and not 'main'" in sentence("main", "--allow-remote-code")
    pull(commit, "--allow-remote-code")
    assert [path.name for path in FOLDER.glob("*.py")] == ["modeling_clip.py"]


def test_pickled_weights_are_refused_unless_the_spec_allows_them(hub, checkpoint):
    only_pickle = {name: data for name, data in checkpoint.items() if name != WEIGHTS}
    repository = hub.repositories[REPOSITORY]
    commit = repository.commit(only_pickle | {"pytorch_model.bin": b"pickle"}, "pickle")
    assert "has pickled weights only" in sentence(commit)
    spec(weights="bin")
    pull(commit)
    assert pulled()["pytorch_model.bin"] == b"pickle"


def test_a_checkpoint_in_a_subfolder_is_pulled_without_the_rest(hub):
    files = {"own/config.json": b"{}", "own/checkpoints/latest-checkpoint.pt": b"pickle"}
    other = {"config.json": b"[]", "other/checkpoints/latest-checkpoint.pt": b"other"}
    commit = hub.repositories[REPOSITORY].commit(files | other, "folders")
    spec(weights="pt", folder="own")
    pull(commit)
    assert pulled() == {name.removeprefix("own/"): data for name, data in files.items()}
    READY.unlink()
    spec(weights="pt", folder="owl")
    assert f"{REPOSITORY} at {commit}, owl: has no weights" in sentence(commit)


def test_shards_come_with_their_index_and_a_lost_one_is_an_error(hub, checkpoint):
    shards = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    index = {"metadata": {}, "weight_map": {"a": shards[0], "b": shards[1]}}
    files = {name: data for name, data in checkpoint.items() if name != WEIGHTS}
    files |= {name: name.encode() for name in shards}
    files |= {"model.safetensors.index.json": json.dumps(index).encode()}
    whole = hub.repositories[REPOSITORY].commit(files, "whole")
    pull(whole)
    assert pulled() == files
    READY.unlink()
    del files[shards[1]]
    assert f"1 of the shards that it lists are missing, first '{shards[1]}'" in sentence(
        hub.repositories[REPOSITORY].commit(files, "torn")
    )


def test_a_model_folder_that_is_a_link_is_left_alone(hub, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years")
    FOLDER.parent.mkdir(parents=True)
    FOLDER.symlink_to(mine)
    assert f"write checkpoints: {{clip: {mine}}}" in sentence()
    assert (mine / "thesis.txt").read_text() == "years"
