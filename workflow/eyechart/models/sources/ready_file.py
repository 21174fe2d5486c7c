"""Write ``ready.json``, a checkpoint's last file, with its origin and the hash of every file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError
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
        held = read_json(folder / index)
        wanted = held.get("weight_map") if isinstance(held, dict) else None
        if not isinstance(wanted, dict):
            raise UserError(f"{folder / index}: has no weight_map, so its shards cannot be found")
        place = index.rpartition("/")[0]
        if missing := sorted({f"{place}/{name}".lstrip("/") for name in wanted.values()} - names):
            raise UserError(
                f"{folder / index}: {len(missing)} of the shards that it lists are missing, first "
                f"{missing[0]!r}; the checkpoint is incomplete at its source"
            )
