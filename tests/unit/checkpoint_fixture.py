"""A small checkpoint's repository on a local hub, and the step that pulls it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from hub_server import HubServer, Repository, files_of, serving

from eyechart.data.sources import http, patience
from eyechart.models.sources import pull_model

REPOSITORY = "owner/clip"
FOLDER = Path("data/models/clip")
READY = FOLDER / "ready.json"
LOCK = Path("data/models.lock.tsv")
WEIGHTS = "model.safetensors"
# Other files in the repository, which are not needed
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


@contextmanager
def serving_clip(
    folder: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> Iterator[HubServer]:
    """Serve a repository of the model clip; ``folder`` is the working folder with the spec."""
    monkeypatch.chdir(folder)
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setattr(patience, "_sleep", lambda pause: None)
    monkeypatch.setattr(http, "_CHUNK", 5_000)
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.repositories[REPOSITORY] = Repository()
        server.repositories[REPOSITORY].commit(files | BESIDE)
        spec()
        yield server


def flags(revision: str = "main", *more: str) -> list[str]:
    return [
        *("--model", "clip", "--spec", "config/models/clip.yaml", "--revision", revision),
        *("--lock", str(LOCK), "--output", str(READY), *more),
    ]


def pull(revision: str = "main", *more: str) -> dict[str, object]:
    pull_model.main(flags(revision, *more))
    return json.loads(READY.read_text())


def pulled() -> dict[str, bytes]:
    return {name: data for name, data in files_of(FOLDER).items() if name != "ready.json"}
