"""Pull a checkpoint from the hub at one commit: only the files needed, resumed, every one verified.

Reads: the model's spec; the hub that ``HF_ENDPOINT`` names, or huggingface_hub's own; a token, for
gated models, from ``HF_TOKEN`` and from nowhere else.
Writes: the files under data/models/<model>/, without a copy in a cache; a line of the lock file;
``ready.json`` beside the files, last.

    python -m eyechart.models.pull_model --model dinov2_small \
        --spec config/models/dinov2_small.yaml --revision main --lock data/models.lock.tsv \
        --output data/models/dinov2_small/ready.json
"""

import argparse
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from tqdm import tqdm

from eyechart import errors
from eyechart.datasets.fetch import fetch
from eyechart.errors import UserError
from eyechart.models import model_lock, permission
from eyechart.models.hub import Hub, HubFile, Snapshot
from eyechart.models.hub_files import choose
from eyechart.models.ready import NAME, write_ready
from eyechart.models.spec import read_spec
from eyechart.tables.files import sha256

_log = logging.getLogger(__name__)


def tidy(folder: Path, names: set[str]) -> None:
    """Remove what is not of this checkpoint: files of another revision, links to a user's folder.

    Raises
    ------
    UserError
        If the folder is a link, so that what is in it is not ours.
    """
    if folder.is_symlink():
        raise UserError(
            f"{folder}: is a link; to use weights of your own, delete it and write "
            f"checkpoints: {{{folder.name}: {folder.resolve()}}} in the configuration"
        )
    kept = names | {f"{name}.part" for name in names} | {f"{name}.part.version" for name in names}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or (path.is_file() and name not in kept):
            _log.info("%s: not of this checkpoint, removed", path)
            path.unlink()


def lacking(folder: Path, files: list[HubFile]) -> list[HubFile]:
    """Give the files that are not there yet, whole; what is there but differs is removed."""
    found = []
    for file in files:
        path = folder / file.path
        if not path.exists():
            found.append(file)
        elif not file.is_whole(path):
            _log.info("%s: differs from the hub's, fetched again", path)
            path.unlink()
            found.append(file)
    return found


def check_room(model: str, folder: Path, files: list[HubFile]) -> None:
    """Raise a UserError if the disk has no room for what is still to be fetched."""
    begun = [folder / f"{file.path}.part" for file in files]
    needed = sum(file.bytes for file in files) - sum(p.stat().st_size for p in begun if p.exists())
    free = shutil.disk_usage(folder).free
    _log.info("%s: %s to fetch, %s free", model, _size(needed), _size(free))
    if needed > free:
        raise UserError(
            f"{folder}: {needed} bytes ({_size(needed)}) to fetch, but the disk has {free} bytes "
            f"({_size(free)}) free; free some and run again"
        )


def pull(hub: Hub, snapshot: Snapshot, folder: Path, files: list[HubFile]) -> list[dict[str, Any]]:
    """Fetch and verify all files; give their entries."""
    folder.mkdir(parents=True, exist_ok=True)
    tidy(folder, {file.path for file in files})
    wanted = lacking(folder, files)
    check_room(folder.name, folder, wanted)
    if wanted:
        hub.check_access(snapshot)
    for file in sorted(wanted, key=lambda file: file.bytes):  # what is wrong shows early
        path = folder / file.path
        fetch(hub.url(snapshot, file), path, file.bytes, file.sha256, hub.headers)
        if not file.is_whole(path):
            path.unlink()
            raise UserError(f"{path}: differs from the hub's and was removed; run again")
    return [
        {
            "path": file.path,
            "bytes": file.bytes,
            "sha256": file.sha256 or sha256(folder / file.path),
        }
        for file in files
    ]


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the flags; all but the permission are required."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--spec", type=Path, required=True)
    parser.add_argument("--revision", required=True)
    parser.add_argument("--lock", type=Path, required=True)
    parser.add_argument("--allow-remote-code", action="store_true")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Look up, choose, lock, fetch, and write ``ready.json`` last."""
    args = parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    spec = read_spec(args.spec)
    code = permission.check(args.model, spec, args.allow_remote_code, args.revision)
    hub = Hub(args.model, os.environ.get("HF_TOKEN"))
    snapshot = hub.snapshot(spec.checkpoint, args.revision)
    named = {file.path: file for file in snapshot.files if file.path != NAME}
    where = f"{spec.checkpoint} at {args.revision}"
    files = [named[path] for path in choose(where, named, spec.weights, code)]
    _log.info(
        "%s: %s at %s = %s, %d of %d files, %s, licence %s (the hub: %s), gated: %s",
        *(args.model, spec.checkpoint, args.revision, snapshot.commit, len(files), len(named)),
        *(_size(sum(file.bytes for file in files)), spec.licence, snapshot.licence),
        "yes" if snapshot.gated else "no",
    )
    model_lock.settle(args.lock, args.model, spec.checkpoint, args.revision, snapshot.commit)
    entries = pull(hub, snapshot, args.output.parent, files)
    origin = {"checkpoint": spec.checkpoint, "commit": snapshot.commit, "licence": spec.licence}
    write_ready(args.output, {"source": "hub", **origin, "code": code}, entries)


def _size(count: int) -> str:
    return str(tqdm.format_sizeof(max(count, 0), "iB", 1024))


if __name__ == "__main__":
    errors.run(main)
