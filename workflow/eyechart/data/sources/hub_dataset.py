"""Fetch a dataset from a hub repository: listed at one commit, fetched, compared, kept.

The files are written directly into the dataset's folder. The commit that a revision first resolved
to is used from then on, until the user deletes its lines in the lock file.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from eyechart.core.errors import UserError
from eyechart.core.files import sha256
from eyechart.data.sources.http import fetch
from eyechart.data.sources.hub import Hub, HubFile, HubMessages, Snapshot
from eyechart.data.sources.version_lock import Locked, Locks, compare
from eyechart.data.sources.versions import Version

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LockState:
    """The table of versions, the lock file, and the locked entries of a download."""

    versions: Path
    lock: Path
    locks: Locks


def pull(
    version: Version, state: LockState, root: Path, choose: Callable[[str], str | None]
) -> list[Locked]:
    """Fetch the needed files of a repository into the dataset's folder; return lock entries.

    Parameters
    ----------
    version : Version
        A row whose source is a repository.
    state : LockState
        The table, the lock file and the locked entries.
    root : Path
        The dataset's folder.
    choose : callable
        Returns the path under ``root`` for a file's path, or None to leave the file out.

    Raises
    ------
    UserError
        If the hub cannot be reached, has none of the files, or a file differs from the lock.
    """
    repository, revision = version.repository or ("", "")
    commits = {
        known.commit
        for known in state.locks.values()
        if (known.dataset, known.url) == (version.dataset, version.url)
    }
    hub = Hub(_messages(version, state, bool(commits)), os.environ.get("HF_TOKEN"))
    snapshot = hub.snapshot(repository, min(commits, default=revision))
    wanted = {file.path: choose(file.path) for file in snapshot.files}
    chosen = [(file, target) for file in snapshot.files if (target := wanted[file.path])]
    if not chosen:
        found_names = ", ".join(sorted(wanted)[:5]) or "no files"
        raise UserError(
            f"{state.versions}: {repository} at {snapshot.commit} contains none of the files that "
            f"{version.dataset} needs (found: {found_names}); correct its url"
        )
    _log_source(version, snapshot, [file for file, _ in chosen])
    hub.check_access(snapshot)
    return [_take(version, state, hub, file, root / _safe(target)) for file, target in chosen]


def _take(version: Version, state: LockState, hub: Hub, file: HubFile, path: Path) -> Locked:
    """Fetch one file unless it is already complete; only a file allowed by the lock is renamed."""
    fetched = path
    if not (path.is_file() and file.is_whole(path)):
        fetched = path.with_name(f".{path.name}.new")
        fetch(hub.url(file), fetched, file.bytes, file.sha256, hub.headers)
        if not file.is_whole(fetched):
            fetched.unlink()
            raise UserError(f"{path}: differs from the file on the hub and was removed; run again")
    digest = file.sha256 or sha256(fetched)
    found = Locked(version.dataset, file.path, version.url, file.commit, file.bytes, digest)
    if known := state.locks.get(found.key):
        compare(state.lock, known, found, fetched)
    if fetched != path:
        fetched.replace(path)
    return found


def _safe(target: str) -> str:
    parts = PurePosixPath(target).parts
    if target.startswith("/") or ".." in parts:
        raise UserError(f"{target!r}: a file of the hub that would be written outside the folder")
    return target


def _log_source(version: Version, snapshot: Snapshot, files: list[HubFile]) -> None:
    size = tqdm.format_sizeof(sum(file.bytes for file in files), "iB", 1024)
    _log.info(
        "%s: %s at %s, %d of %d files, %s, licence %s; the hub says %s, gated: %s (%s)",
        *(version.dataset, snapshot.repository, snapshot.commit, len(files), len(snapshot.files)),
        *(size, version.licence, snapshot.licence, "yes" if snapshot.gated else "no"),
        version.note,
    )


def _messages(version: Version, state: LockState, locked: bool) -> HubMessages:
    """Return the wording of the hub's error messages about a dataset."""
    lines = f"delete the lines of {version.dataset} in {state.lock} to take {version.url}"
    return HubMessages(
        name=version.dataset,
        kind="dataset",
        file=str(state.versions),
        field="url",
        form="hub:datasets/<owner>/<name>@<revision>",
        revision=lines if locked else f"correct its url in {state.versions}",
        instead="write source: local and path: <folder> for the dataset in the configuration",
    )
