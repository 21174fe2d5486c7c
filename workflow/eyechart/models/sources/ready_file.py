"""Write ``ready.json``, a checkpoint's last file, with its origin and the hash of every file."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from eyechart.core.errors import UserError, shown
from eyechart.core.files import read_json, write_json
from eyechart.models.sources.hub_files import INDEX

NAME = "ready.json"


def write_ready(
    output: Path, model: str, origin: dict[str, Any], files: Iterable[dict[str, Any]]
) -> None:
    """Write ``ready.json``; all files that it lists must already exist.

    Raise a UserError if a weight index lists a shard that is not among the files.

    Parameters
    ----------
    output : ``data/models/<model>/ready.json``; the files are next to it
    model : name of the model
    origin : where the checkpoint came from
    files : path (relative to the folder), bytes and sha256 of each file
    """
    listed = sorted(files, key=lambda entry: entry["path"])
    _check_shards(output.parent, {entry["path"] for entry in listed})
    write_json(output, {"model": model, **origin, "files": listed})


def _check_shards(folder: Path, names: set[str]) -> None:
    for index in sorted(name for name in names if name.split("/")[-1] in INDEX.values()):
        place = PurePosixPath(index).parent
        beside = {path.name for path in map(PurePosixPath, names) if path.parent == place}
        check_index(folder / index, beside)


def check_index(path: Path, beside: set[str]) -> None:
    """Raise a UserError unless an index lists shards by the names of files ``beside`` it."""
    held = read_json(path)
    wanted = held.get("weight_map") if isinstance(held, dict) else None
    if not isinstance(wanted, dict) or not wanted:
        raise UserError(f"{path}: has no weight_map, so its shards cannot be found")
    if not isinstance(held.get("metadata"), dict):
        raise UserError(f"{path}: metadata is {shown(held.get('metadata'))}, expected an object")
    ending = PurePosixPath(path.name.removesuffix(".index.json")).suffix
    for name in wanted.values():
        if not isinstance(name, str) or "/" in name or not name.endswith(ending):
            raise UserError(
                f"{path}: weight_map lists {shown(name)}, expected a file *{ending} next to it"
            )
    if missing := sorted(set(wanted.values()) - beside):
        raise UserError(
            f"{path}: {len(missing)} of the shards that it lists are missing, first "
            f"{shown(missing[0])}; the checkpoint is incomplete at its source"
        )
