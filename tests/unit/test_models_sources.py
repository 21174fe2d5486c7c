"""Getting a checkpoint: pulled from a hub on this machine, or taken from a folder."""

import json
import shutil
import threading
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hub_server import TOKEN, HubServer, Repository, files_of, serving
from stopping_steps import kill_step
from tiny_models import build_clip

from eyechart.core.errors import UserError
from eyechart.data.sources import http as sources_http
from eyechart.models.sources import link_local_model, pull_model, revision_lock
from eyechart.models.sources.hub_files import choose

REPOSITORY = "owner/clip"
FOLDER = Path("data/models/clip")
READY = FOLDER / "ready.json"
LOCK = Path("data/models.lock.tsv")
WEIGHTS = "model.safetensors"
# What a repository holds beside the checkpoint; nothing of it is wanted
BESIDE = {
    ".gitattributes": b"*.safetensors filter=lfs",
    "README.md": b"# A card",
    "pytorch_model.bin": b"pickle",
    "tf_model.h5": b"tf",
    "flax_model.msgpack": b"flax",
    "consolidated.safetensors": b"again",
    "model.fp16.safetensors": b"again, shorter",
    "params.json": b"{}",
    "onnx/model.onnx": b"onnx",
    "onnx/config.json": b"{}",
    "original/consolidated.safetensors": b"again",
    "clip-q4.gguf": b"gguf",
    "pytorch_model.bin.index.json": b"{}",
    "trainer_state.json": b"{}",
    "modeling_clip.py": b"raise SystemExit",
    "requirements.txt": b"torch",
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return files_of(build_clip(tmp_path_factory.mktemp("checkpoint") / "clip"))


@pytest.fixture
def hub(tmp_path, monkeypatch, checkpoint):
    monkeypatch.chdir(tmp_path)
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sources_http, "_PAUSE_S", 0.0)
    monkeypatch.setattr(sources_http, "_CHUNK", 5_000)
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.repositories[REPOSITORY] = Repository()
        server.repositories[REPOSITORY].commit(checkpoint | BESIDE)
        spec()
        yield server


def spec(**changes: object) -> Path:
    """Write the spec of the model clip."""
    fields = {
        "family": "clip",
        "kind": "encoder",
        "checkpoint": REPOSITORY,
        "licence": "MIT",
        "vision_blocks": 3,
        "lm_blocks": 0,
    }
    path = Path("config/models/clip.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(fields | changes))
    return path


def flags(revision: str = "main", *more: str) -> list[str]:
    return [
        *("--model", "clip", "--spec", "config/models/clip.yaml", "--revision", revision),
        *("--lock", str(LOCK), "--output", str(READY), *more),
    ]


def pull(revision: str = "main", *more: str) -> dict[str, object]:
    pull_model.main(flags(revision, *more))
    return json.loads(READY.read_text())


def sentence(revision: str = "main", *more: str) -> str:
    with pytest.raises(UserError) as raised:
        pull_model.main(flags(revision, *more))
    assert "\n" not in str(raised.value)
    assert not READY.exists()
    return str(raised.value)


def pulled() -> dict[str, bytes]:
    return {name: data for name, data in files_of(FOLDER).items() if name != "ready.json"}


def test_a_checkpoint_is_pulled_with_only_the_files_that_it_needs(hub, checkpoint):
    ready = pull()
    assert pulled() == checkpoint
    assert sorted(hub.fetched()) == sorted(checkpoint)
    assert ready["model"] == "clip"
    assert ready["commit"] == hub.repositories[REPOSITORY].revisions["main"]
    assert {entry["path"]: entry["bytes"] for entry in ready["files"]} == {
        name: len(data) for name, data in checkpoint.items()
    }


def test_nothing_is_kept_in_a_cache(hub, tmp_path):
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
    for name in (WEIGHTS, "config.json"):  # with a SHA-256 of its own, and with git's
        damaged = bytearray((FOLDER / name).read_bytes())
        damaged[9] ^= 0xFF
        (FOLDER / name).write_bytes(damaged)
        READY.unlink()
        hub.asked.clear()
        pull()
        assert hub.fetched() == [name]
        assert pulled() == checkpoint


def test_a_hub_that_sends_other_bytes_than_it_says_is_not_believed(hub, monkeypatch):
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


def test_size_licence_gate_and_free_disk_are_told_before_the_first_file(hub, caplog):
    caplog.set_level("INFO")
    hub.repositories[REPOSITORY].gated = "closed"
    sentence()
    for part in ("licence MIT; the hub says apache-2.0", "gated: yes", "kiB", "to fetch", "free"):
        assert part in caplog.text
    assert hub.fetched() == []


def test_a_disk_without_room_is_refused_before_the_first_file(hub, checkpoint, monkeypatch):
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


def test_a_token_is_never_sent_on_to_another_host_nor_taken_from_netrc(hub, monkeypatch):
    Path(".netrc").write_text("machine 127.0.0.1 login x password y\n")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    pull()
    assert {asked.token for asked in hub.asked if asked.host == "127.0.0.1"} == {TOKEN}
    assert {asked.token for asked in hub.asked if asked.host == "localhost"} == {None}


def test_a_token_that_may_not_enter_is_told_from_one_that_is_wrong(hub, monkeypatch):
    hub.repositories[REPOSITORY].gated = "closed"
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert "the account of HF_TOKEN has no access" in sentence()
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    assert "the hub answers HTTP 401; correct the token in HF_TOKEN" in sentence()


def test_a_revision_or_repository_that_is_not_there_is_one_sentence(hub):
    told = sentence("mian")
    assert "owner/clip has no revision 'mian'" in told and "did you mean 'main'?" in told
    spec(checkpoint="owner/clop")
    assert "the hub has no repository 'owner/clop', or it is private" in sentence()
    spec(checkpoint="a/b/c")
    assert "checkpoint is 'a/b/c', expected a hub repository" in sentence()


def test_a_hub_that_is_away_is_one_sentence(hub, monkeypatch):
    with HubServer() as closed:
        monkeypatch.setenv("HF_ENDPOINT", closed.url)
    assert "the hub cannot be reached" in sentence()


def test_a_revision_that_moved_is_refused_until_the_user_says_so(hub, checkpoint, monkeypatch):
    first = pull()["commit"]
    READY.unlink()
    assert LOCK.read_text().splitlines()[1] == f"{REPOSITORY}\tmain\t{first}"
    second = hub.repositories[REPOSITORY].commit(checkpoint | {"merges.txt": b"new"})
    told = sentence()
    assert f"{LOCK}: 'main' of {REPOSITORY} was {first} and is now {second}" in told
    assert f"revisions: {{clip: {first}}}" in told
    assert pull(first)["commit"] == first  # the first way out
    LOCK.write_text("".join(LOCK.read_text().splitlines(True)[:1]))
    assert pull()["commit"] == second  # the second


def test_many_jobs_lose_none_of_each_others_lines(tmp_path):
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
def test_a_malformed_lock_is_named(hub, text, expected):
    LOCK.parent.mkdir(exist_ok=True)
    LOCK.write_text(text)
    assert expected in sentence()


def test_code_of_a_checkpoint_needs_spec_and_user_and_a_commit(hub, checkpoint):
    commit = hub.repositories[REPOSITORY].revisions["main"]
    pull(commit, "--allow-remote-code")
    assert not list(FOLDER.glob("*.py"))  # the spec does not say so
    READY.unlink()
    spec(trust_remote_code=True)
    assert "write remote_code: [clip] in the configuration" in sentence(commit)
    assert "must be a commit and not 'main'" in sentence("main", "--allow-remote-code")
    pull(commit, "--allow-remote-code")
    assert [path.name for path in FOLDER.glob("*.py")] == ["modeling_clip.py"]


def test_pickled_weights_are_refused_unless_the_spec_says_so(hub, checkpoint):
    only_pickle = {name: data for name, data in checkpoint.items() if name != WEIGHTS}
    repository = hub.repositories[REPOSITORY]
    commit = repository.commit(only_pickle | {"pytorch_model.bin": b"pickle"}, "pickle")
    assert "has pickled weights only" in sentence(commit)
    spec(weights="bin")
    pull(commit)
    assert pulled()["pytorch_model.bin"] == b"pickle"


def test_shards_come_with_their_index_and_a_lost_one_is_an_error(hub, checkpoint):
    shards = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    index = {"weight_map": {"a": shards[0], "b": shards[1]}}
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


def test_the_folder_of_a_model_that_is_a_link_is_left_alone(hub, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years")
    FOLDER.parent.mkdir(parents=True)
    FOLDER.symlink_to(mine)
    assert f"write checkpoints: {{clip: {mine}}}" in sentence()
    assert (mine / "thesis.txt").read_text() == "years"


def test_mistrals_own_layout_is_taken_where_there_is_no_other():
    own = ["params.json", "tekken.json", "consolidated.safetensors", "README.md"]
    assert choose("here", own, "safetensors", False) == sorted(own)[1:]
    both = [*own, "config.json", "model.safetensors"]
    assert choose("here", both, "safetensors", False) == [
        *("config.json", "model.safetensors", "tekken.json")
    ]


def test_nothing_to_load_is_told_with_what_there_is():
    with pytest.raises(UserError, match=r"has no weights \(found: README.md\)"):
        choose("here", ["README.md"], "safetensors", False)
    with pytest.raises(UserError, match="has safetensors, so the spec need not say weights: bin"):
        choose("here", ["config.json", "model.safetensors"], "bin", False)


# With companions


@pytest.fixture
def companions(hub, checkpoint) -> dict[str, str]:
    """Two repositories that the code of the first loads by name; gives their commits."""
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


def test_companions_are_put_into_folders_of_their_names(hub, companions):
    ready = pull()
    beside = {name for name in pulled() if "/" in name}
    assert beside == {
        *("lm/words/tokenizer.model", "lm/words/config.json"),
        *("owner/tower/pytorch_model.bin", "owner/tower/config.json"),
    }
    assert beside < {entry["path"] for entry in ready["files"]}


def test_a_companion_is_taken_again_as_it_was_the_first_time(hub, companions):
    pull()
    shutil.rmtree(FOLDER)
    hub.repositories["lm/words"].commit({"tokenizer.model": b"other", "config.json": b"{}"})
    pull()
    assert pulled()["lm/words/tokenizer.model"] == b"words"
    assert revision_lock.read(LOCK)["lm/words", "main"] == companions["lm/words"]


def test_a_folder_of_the_users_own_inside_is_left_alone(hub, companions):
    pull()
    (FOLDER / "groundingLMM").mkdir()
    (FOLDER / "groundingLMM/model.py").write_text("code")
    (FOLDER / "stray.json").write_text("{}")
    READY.unlink()
    pull()
    assert (FOLDER / "groundingLMM/model.py").exists()
    assert not (FOLDER / "stray.json").exists()


def test_companions_in_a_users_folder_are_taken_with_it(hub, companions, checkpoint):
    pull()
    mine = FOLDER.rename("mine")
    (mine / "ready.json").unlink()
    there = set(files_of(mine))
    take(mine)
    assert set(pulled()) == there
    shutil.rmtree(mine / "lm")
    assert "lm/words/tokenizer.model" not in {e["path"] for e in take(mine)["files"]}


# From a folder


@pytest.fixture
def mine(hub, checkpoint) -> Path:
    """A user's folder with the checkpoint and much besides."""
    folder = Path("mine")
    for name, data in (checkpoint | BESIDE).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def take(source: Path, *more: str) -> dict[str, object]:
    arguments = ["--model", "clip", "--source", str(source), "--spec", "config/models/clip.yaml"]
    link_local_model.main([*arguments, *more, "--output", str(READY)])
    return json.loads(READY.read_text())


def test_a_folder_is_linked_and_nothing_is_copied_or_asked_for(hub, mine, checkpoint):
    ready = take(mine)
    assert pulled() == checkpoint
    assert all(path.is_symlink() for path in FOLDER.iterdir() if path != READY)
    assert [entry["path"] for entry in ready["files"]] == sorted(checkpoint)
    assert hub.asked == []


def test_another_folder_takes_the_place_of_the_first(hub, mine, checkpoint):
    take(mine)
    other = mine.rename("other")
    (other / "processor_config.json").unlink()
    take(other)
    assert "processor_config.json" not in pulled()


def test_a_pull_takes_the_place_of_links_and_leaves_the_users_files(hub, mine, checkpoint):
    take(mine)
    pull()
    assert pulled() == checkpoint
    assert not any(path.is_symlink() for path in FOLDER.iterdir())
    assert set(files_of(mine)) == {*checkpoint, *BESIDE}


def test_a_folder_in_the_models_own_place_is_taken_as_it_is(hub, mine, checkpoint):
    FOLDER.parent.mkdir(parents=True)
    mine.rename(FOLDER)
    assert [entry["path"] for entry in take(FOLDER)["files"]] == sorted(checkpoint)
    assert (FOLDER / "README.md").exists()


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        (["config.json"], "mine: has no config.json, so it is no checkpoint"),
        ([WEIGHTS, "consolidated.safetensors"], "mine: has pickled weights only"),
    ],
)
def test_a_folder_that_is_no_checkpoint_is_refused(hub, mine, lost, expected):
    for name in lost:
        (mine / name).unlink()
    with pytest.raises(UserError, match=expected):
        take(mine)
    assert not FOLDER.exists()


def test_a_folder_that_is_not_there_is_named(hub):
    with pytest.raises(UserError, match="mien: no such folder; expected a folder in Hugging Face"):
        take(Path("mien"))


def test_code_in_a_users_folder_needs_the_users_word_but_no_commit(hub, mine):
    spec(trust_remote_code=True)
    with pytest.raises(UserError, match=r"write remote_code: \[clip\]"):
        take(mine)
    take(mine, "--allow-remote-code")
    assert "modeling_clip.py" in pulled()
