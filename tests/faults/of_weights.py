"""The weights of a checkpoint: safetensors, and the index of shards.

A file is refused if its header does not describe exactly the bytes after it. Weights that are NaN
or infinite are refused, too, and so is an index that lists anything but the shards next to it.
"""

import json
import os
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from faults.injector import Fault
from faults.of_checkpoints import DEEP, WEIGHTS, described, instead, written
from safetensors.torch import load_file, save_file

from eyechart.models import describe_model
from eyechart.models.sources import link_local_model

KIND = "Weights"
INDEX = f"{WEIGHTS}.index.json"
SHARD = "model-{}-of-00002.safetensors"
Header = dict[str, Any]


def split(folder: Path) -> tuple[Header, bytes]:
    """Return the header of a checkpoint's weights, and the bytes after it."""
    data = (folder / WEIGHTS).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def put(folder: Path, header: bytes, behind: bytes, length: int | None = None) -> None:
    begin = struct.pack("<Q", len(header) if length is None else length)
    (folder / WEIGHTS).write_bytes(begin + header + behind)


def headed(header: bytes) -> Callable[[Path], Any]:
    """Return a function that writes weights with this header and no tensor."""
    return lambda folder: put(folder, header, b"")


def claiming(length: int) -> Callable[[Path], Any]:
    """Return a function that writes another length of the header."""

    def change(folder: Path) -> None:
        header, behind = split(folder)
        put(folder, json.dumps(header).encode(), behind, length)

    return change


def altered(change: Callable[[Header], Any], more: bytes = b"") -> Callable[[Path], Any]:
    """Return a function that changes the header, or adds bytes after the last tensor."""

    def alter(folder: Path) -> None:
        header, behind = split(folder)
        change(header)
        put(folder, json.dumps(header).encode(), behind + more)

    return alter


def first(header: Header, **fields: Any) -> None:
    """Change fields of the first tensor."""
    header[min(header.keys() - {"__metadata__"})] |= fields


def swapped(header: Header) -> None:
    """Let two tensors have the same bytes."""
    one, other = sorted(header.keys() - {"__metadata__"})[:2]
    header[one]["data_offsets"] = header[other]["data_offsets"]


def added(name: str) -> Callable[[Path], Any]:
    """Return a function that adds an empty tensor."""

    def change(header: Header) -> None:
        end = max(one["data_offsets"][1] for one in header.values() if "dtype" in one)
        header[name] = {"dtype": "F32", "shape": [0], "data_offsets": [end, end]}

    return altered(change)


def valued(value: float) -> Callable[[Path], Any]:
    """Return a function that sets one number of the weights."""

    def change(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        tensors[max(tensors)].view(-1)[-1] = value
        save_file(tensors, folder / WEIGHTS, {"format": "pt"})

    return change


def sharded(change: Callable[[dict[str, Any]], Any] = lambda index: None) -> Callable[[Path], Any]:
    """Return a function that splits the weights into two shards with a changed index."""

    def shard(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        (folder / WEIGHTS).unlink()
        listed: dict[str, str] = {}
        for n in (1, 2):
            part = {key: tensors[key] for key in sorted(tensors)[n - 1 :: 2]}
            save_file(part, folder / SHARD.format(f"{n:05}"), {"format": "pt"})
            listed |= dict.fromkeys(part, SHARD.format(f"{n:05}"))
        index = {"metadata": {"total_size": 10**30}, "weight_map": listed}
        change(index)
        (folder / INDEX).write_text(json.dumps(index))

    return shard


def listing(shard: Any) -> Callable[[Path], Any]:
    """Return a function that writes an index in which one tensor has another shard."""

    def change(index: dict[str, Any]) -> None:
        index["weight_map"][min(index["weight_map"])] = shard

    return sharded(change)


def holding(**fields: Any) -> Callable[[Path], Any]:
    """Return a function that writes an index with other fields."""
    return sharded(lambda index: index.update(fields))


def linked(change: Callable[[Path], Any]) -> Any:
    """Link a changed checkpoint as a run does, then describe it."""
    words = written("clip", change)
    link_local_model.main(["--model", "a", "--source", "checkpoint", "--spec", "a.yaml",
                           "--output", "models/a/ready.json"])  # fmt: skip
    words[words.index("--checkpoint") + 1] = "models/a"
    describe_model.main(words)
    files = json.loads(Path("models/a/ready.json").read_text())["files"]
    shards = sorted(one["path"] for one in files if one["path"].startswith("model-"))
    return shards, [SHARD.format("00001"), SHARD.format("00002")]


def _refused(
    what: str, change: Callable[[Path], Any], says: str = "damaged, or not safetensors"
) -> Fault:
    return Fault(what, WEIGHTS, "refused", partial(described, "clip", change), says)


def _index(what: str, change: Callable[[Path], Any], says: str) -> list[Fault]:
    """Return the fault in the user's folder, and in a folder that is already linked."""
    says = rf"{INDEX}: .*{says}"
    return [Fault(what, f"{INDEX}, linked", "refused", partial(linked, change), says),
            Fault(what, f"{INDEX}, described", "refused", partial(described, "clip", change),
                  says)]  # fmt: skip


NOT_BESIDE = "expected a file .*next to it"
FAULTS = [
    *(_refused(f"a header of {length} bytes", claiming(length))
      for length in (0, 1, 10**8 - 1, 2**64 - 1)),
    _refused("a header that is not JSON", headed(b"hello")),
    _refused("a list as its header", headed(b"[]")),
    _refused("a header of 20,000 nested objects", headed(DEEP.encode())),
    _refused("a header of 90 MB of blanks", headed(b" " * 90_000_000)),
    _refused("a header in Latin-1", headed(b'{"\xe9": 1}')),
    _refused("no tensors", headed(b"{}"), "missing key"),
    *(_refused(f"a tensor {what}", altered(partial(first, data_offsets=offsets)))
      for what, offsets in (
          ("that ends before it begins", [5, 1]), ("that begins before the first byte", [-1, 3]),
          ("that ends after the last byte", [0, 10**12]), ("of half a byte", [0.5, 4]),
          ("that begins at byte 2^63", [2**63, 4]), ("without an end", [0]),
      )),
    _refused("two tensors in the same bytes", altered(swapped)),
    *(_refused(f"the type {str(kind)[:8]}", altered(partial(first, dtype=kind)))
      for kind in ("F33", "F64", 5, "long" * 2_500)),
    *(_refused(f"a tensor of {what} numbers", altered(partial(first, shape=shape)))
      for what, shape in (("10^12", [10**12]), ("minus one", [-1]), ("one and a half", [1.5]),
                          ("2^64", [2**63, 2]), ("unknown", None))),
    _refused("bytes after the last tensor", altered(lambda header: None, b"more")),
    _refused("one tensor too many", added("evil"), "unexpected key 'evil'"),
    _refused("a tensor whose name has a line end", added("a\nb\x1b[2J"), r"key 'a\\nb"),
    _refused("a tensor with a name of 100,000 letters", added("k" * 100_000), "unexpected key"),
    *(_refused(f"a weight that is {what}", valued(float(what)), "is NaN or infinite")
      for what in ("nan", "infinity", "-inf")),
    _refused("a file of torch.save", lambda folder: torch.save({}, folder / WEIGHTS)),
    *(_refused(f"a {what} in its place", instead(WEIGHTS, make), says)
      for what, make, says in (
          ("folder", Path.mkdir, "no file named"),
          ("dead link", lambda path: path.symlink_to("nowhere"), "no file named"),
          ("pipe", os.mkfifo, "is a pipe"),
          ("link to another file", lambda path: path.symlink_to("/etc/passwd"), "damaged"),
      )),
    *(Fault(what, "soft_prompt.safetensors", "refused",
            partial(described, "clip", lambda folder, held=held: save_file(
                held, folder / "soft_prompt.safetensors")), "expected prompt_embeddings alone")
      for what, held in (("another name", {"a": torch.ones(1, 2)}),
                         ("one axis", {"prompt_embeddings": torch.ones(2)}))),
    Fault("two shards, a wrong total size", INDEX, "accepted", partial(linked, sharded())),
    *(fault for what, shard in (
        ("above the folder", "../../etc/passwd"), ("elsewhere", "/etc/passwd"),
        ("that is not safetensors", "config.json"), ("without a name", ""),
        ("that is the folder above it", ".."),
        ("null", None), ("that is a list", [[]]), ("that is a number", 5), ("long", "n" * 5_000),
      ) for fault in _index(f"a shard {what}", listing(shard), NOT_BESIDE)),
    *_index("a shard that is missing", listing("a\nb.safetensors"), "are missing"),
    *(fault for what, held in (("a list", []), ("null", None), ("empty", {})) for fault in
      _index(f"weight_map is {what}", holding(weight_map=held), "no weight_map")),
    *(fault for what, held in (("a list", []), ("null", None)) for fault in
      _index(f"metadata is {what}", holding(metadata=held), "metadata is .*expected an object")),
]  # fmt: skip
