"""Pull the needed files of a checkpoint from the hub at one commit; resumable, all verified.

Reads: the model's spec; the hub at ``HF_ENDPOINT``, or huggingface_hub's default; a token for gated
models, from ``HF_TOKEN`` only.
Writes: the files under data/models/<model>/, without a copy in a cache; a line of the lock file;
``ready.json`` next to the files, last.

    python -m eyechart.models.sources.pull_model --model dinov2_small \
        --spec config/models/dinov2_small.yaml --revision main --lock data/models.lock.tsv \
        --output data/models/dinov2_small/ready.json
"""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from eyechart.core.errors import UserError
from eyechart.core.files import sha256
from eyechart.core.step import command
from eyechart.data.sources.hub import Hub, HubFile, HubMessages, Snapshot, hub_token
from eyechart.models.sources import permission, revision_lock
from eyechart.models.sources.hub_files import choose, choose_companion
from eyechart.models.sources.ready_file import NAME, write_ready
from eyechart.models.spec import Spec, read_spec

MAIN = "main"  # the revision of a companion, before the lock file names its commit
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PullPlan:
    """The files to pull, from the checkpoint's repository and its companions."""

    snapshots: list[Snapshot]
    wanted: dict[str, HubFile]  # by path relative to the model's folder


def messages(model: str, spec: Path) -> HubMessages:
    """Return the wording of hub error messages about a model."""
    return HubMessages(
        name=model,
        kind="model",
        file=str(spec),
        field="checkpoint",
        form="a hub repository (owner/name), or a folder with revision: null",
        revision=f"correct it in {spec} or under revisions in the configuration",
        instead=f"write checkpoints: {{{model}: <folder>}} in the configuration",
    )


def look_up(hub: Hub, spec: Spec, revision: str, code: bool, lock: Path) -> PullPlan:
    """Plan which files to pull from the checkpoint's repository and its companions.

    A companion has no revision in the spec; its commit is locked when it is first pulled.
    """
    snapshot = hub.snapshot(spec.checkpoint, revision)
    inside = f"{spec.folder}/" if spec.folder else ""
    named = {
        file.path.removeprefix(inside): file
        for file in snapshot.files
        if file.path.startswith(inside) and file.path != NAME
    }
    where = f"{spec.checkpoint} at {revision}" + (f", {spec.folder}" if spec.folder else "")
    chosen = choose(where, named, spec.weights, code)
    wanted = {path: named[path] for path in chosen}
    snapshots = [snapshot]
    for repository, what in spec.companions.items():
        known = revision_lock.read(lock).get((repository, MAIN), MAIN)
        snapshots.append(hub.snapshot(repository, known))
        named = {file.path: file for file in snapshots[-1].files}
        chosen = choose_companion(repository, named, what, spec.weights)
        wanted |= {f"{repository}/{path}": named[path] for path in chosen}
    return PullPlan(snapshots, wanted)


def log_plan(model: str, spec: Spec, plan: PullPlan) -> None:
    """Log the commit, size and licence of a plan, and whether the model is gated."""
    for found in plan.snapshots:
        sizes = [f.bytes for f in plan.wanted.values() if f.repository == found.repository]
        licences = f"{spec.licence}; the hub says {found.licence}"
        _log.info(
            "%s: %s at %s, %d of %d files, %s, licence %s, gated: %s",
            *(model, found.repository, found.commit, len(sizes), len(found.files)),
            *(_size(sum(sizes)), licences if found is plan.snapshots[0] else found.licence),
            "yes" if found.gated else "no",
        )


def tidy(folder: Path, names: set[str]) -> None:
    """Remove files that do not belong to this checkpoint: links and files of other revisions.

    Other folders are left alone, since the user may need them. Raise a UserError if the folder is a
    link, since its contents may then belong to someone else.
    """
    if folder.is_symlink():
        raise UserError(
            f"{folder}: is a link; to use weights of your own, delete it and write "
            f"checkpoints: {{{folder.name}: {folder.resolve()}}} in the configuration"
        )
    kept = names | {f"{name}.part" for name in names} | {f"{name}.part.version" for name in names}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        stale = path.is_file() and "/" not in name and name not in kept
        if path.is_symlink() or stale:
            _log.info("%s: not part of this checkpoint, removed", path)
            path.unlink()


def lacking(folder: Path, wanted: dict[str, HubFile]) -> dict[str, HubFile]:
    """Return the files that are missing or differ from the hub's; remove the latter."""
    found = {}
    for name, file in wanted.items():
        path = folder / name
        if not path.exists():
            found[name] = file
        elif not file.is_whole(path):
            _log.info("%s: differs from the hub's, fetched again", path)
            path.unlink()
            found[name] = file
    return found


def check_room(folder: Path, wanted: dict[str, HubFile]) -> None:
    """Raise a UserError if the disk lacks space for the files to fetch."""
    begun = [folder / f"{name}.part" for name in wanted]
    needed = sum(file.bytes for file in wanted.values())
    needed -= sum(path.stat().st_size for path in begun if path.exists())
    free = shutil.disk_usage(folder).free
    _log.info("%s: %s to fetch, %s free", folder.name, _size(needed), _size(free))
    if needed > free:
        raise UserError(
            f"{folder}: {needed} bytes ({_size(needed)}) to fetch, but the disk has {free} bytes "
            f"({_size(free)}) free; free some and run again"
        )


def pull(hub: Hub, folder: Path, plan: PullPlan) -> list[dict[str, Any]]:
    """Fetch and verify all files; return their entries."""
    wanted = plan.wanted
    folder.mkdir(parents=True, exist_ok=True)
    tidy(folder, set(wanted))
    missing = lacking(folder, wanted)
    check_room(folder, missing)
    for snapshot in plan.snapshots if missing else []:
        hub.check_access(snapshot)
    for name, file in sorted(missing.items(), key=lambda item: item[1].bytes):
        path = folder / name  # small files first, so that errors show early
        hub.fetch(file, path, f"{path}: differs from the hub's and was removed")
    return [
        {"path": name, "bytes": file.bytes, "sha256": file.sha256 or sha256(folder / name)}
        for name, file in wanted.items()
    ]


@command
def main(
    *,
    model: str,
    spec: Path,
    revision: str,
    lock: Path,
    allow_remote_code: bool = False,
    output: Path,
) -> None:
    """Look up, choose, lock and fetch the files, and write ``ready.json`` last."""
    wanted = read_spec(spec)
    code = permission.check(model, wanted, allow_remote_code, revision)
    hub = Hub(messages(model, spec), hub_token())
    plan = look_up(hub, wanted, revision, code, lock)
    log_plan(model, wanted, plan)
    commit = plan.snapshots[0].commit
    revision_lock.settle(lock, model, wanted.checkpoint, revision, commit)
    for found in plan.snapshots[1:]:
        revision_lock.settle(lock, model, found.repository, MAIN, found.commit)
    entries = pull(hub, output.parent, plan)
    origin = {"checkpoint": wanted.checkpoint, "commit": commit, "licence": wanted.licence}
    write_ready(output, model, {"source": "hub", **origin, "code": code}, entries)


def _size(count: int) -> str:
    return str(tqdm.format_sizeof(max(count, 0), "iB", 1024))


if __name__ == "__main__":
    main()
