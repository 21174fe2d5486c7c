"""Download a dataset's official files or its hub repository, and extract the required files.

Reads: ``versions.tsv`` (address, size, checksum and licence of each source), the lock file
next to it, and the data site or hub named there; ``HF_TOKEN`` for private or gated repositories.
Writes: the archives under the cache folder; the requested splits under the dataset's folder, in the
official layout; sizes and checksums of sources without a checksum, in the lock file; the receipt
``acquired.json``, last.

    python -m eyechart.data.sources.download --dataset clevr --versions data/versions.tsv \
        --lock data/versions.lock.tsv --cache data/downloads \
        --settings '{"layout": "clevr", "splits": ["train", "val"]}' \
        --root data/raw/clevr --output data/raw/clevr/acquired.json
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from eyechart.core.errors import UserError, without_secrets
from eyechart.core.files import describe, sha256
from eyechart.core.links import link_files
from eyechart.core.step import Json, command
from eyechart.data.layouts import base as layouts_base
from eyechart.data.layouts.base import LayoutModule
from eyechart.data.sources import versions as table
from eyechart.data.sources.archive import Check, Choose, is_archive, unpack
from eyechart.data.sources.http import fetch
from eyechart.data.sources.hub import Hub, HubFile, HubMessages, Snapshot, hub_token
from eyechart.data.sources.versions import UNKNOWN, Locked, Locks, Version, read_versions
from eyechart.tables.receipt import write_receipt

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LockState:
    """The table of versions, the lock file, and the locked entries of a download."""

    versions: Path
    lock: Path
    locks: Locks

    def check(self, found: Locked, path: Path) -> Locked:
        """Return the entry of the file at ``path`` if it matches the lock or is new."""
        if known := self.locks.get(found.key):
            table.compare(self.lock, known, found, path)
        return found


def sources_of(versions: list[Version], layout: LayoutModule, splits: list[str]) -> list[Version]:
    """Return the sources needed for the splits; an archive named like a split contains only it."""
    other = {f"{split}.zip" for split in layout.RELEASED or () if split not in splits}
    return [version for version in versions if version.file not in other]


def get_archive(version: Version, state: LockState, cache: Path) -> list[Locked]:
    """Fetch an archive into the cache; return its lock entry if its row has no checksum.

    Raise a UserError if it cannot be fetched, or if it differs from its row or the lock file.
    """
    path = cache / version.file
    size = _size(version.bytes) if version.bytes else "size not known"
    values = (
        version.dataset,
        version.file,
        size,
        version.licence,
        without_secrets(version.url),
        version.note,
    )
    _log.info("%s: %s, %s, licence %s, from %s (%s)", *values)
    fetch(version.url, path, version.bytes, version.sha256)
    if version.sha256:
        return []
    is_ = describe(path)
    found = Locked(version.dataset, version.file, version.url, UNKNOWN, is_["bytes"], is_["sha256"])
    return [state.check(found, path)]


def check_count(version: Version, needed: Choose, where: str, names: Iterable[str]) -> None:
    """Raise a UserError if there are fewer needed files than in a complete source."""
    found = sum(needed(name) is not None for name in names)
    if found < (version.files or 0):
        raise UserError(
            f"{where}: has {found} files, but {version.dataset} has at least {version.files}, so "
            "nothing was extracted; it is incomplete: delete it and run again, or correct "
            "files in the table of versions"
        )


def pull(
    version: Version, state: LockState, root: Path, choose: Choose, needed: Choose
) -> list[Locked]:
    """Fetch the needed files of a hub repository into a folder; return lock entries.

    The commit to which a revision first resolves is used until the user deletes its lines in the
    lock file. Raise a UserError if the hub cannot be reached or has none of the files, or if a file
    differs from the lock.

    Parameters
    ----------
    version : a row whose source is a repository
    state : the table, the lock file and the locked entries
    root : the folder; files are written directly into it
    choose : returns the path under ``root`` for a file's path, or None to skip the file
    needed : the same for the files of all splits, which are counted
    """
    repository, revision = version.repository or ("", "")
    commits = {
        known.commit
        for known in state.locks.values()
        if (known.dataset, known.url) == (version.dataset, version.url)
    }
    hub = Hub(_messages(version, state, bool(commits)), hub_token())
    snapshot = hub.snapshot(repository, min(commits, default=revision))
    chosen = [(file, to) for file in snapshot.files if (to := choose(file.path))]
    if not chosen:
        found_names = ", ".join(sorted(file.path for file in snapshot.files)[:5]) or "no files"
        raise UserError(
            f"{state.versions}: {repository} at {snapshot.commit} contains none of the files that "
            f"{version.dataset} needs (found: {found_names}); correct its url"
        )
    if not version.is_archive:
        names = [file.path for file in snapshot.files]
        check_count(version, needed, f"{repository} at {snapshot.commit}", names)
    _log_source(version, snapshot, [file for file, _ in chosen])
    hub.check_access(snapshot)
    return [_take(version, state, hub, file, root / _safe(target)) for file, target in chosen]


def _take(version: Version, state: LockState, hub: Hub, file: HubFile, path: Path) -> Locked:
    """Fetch one file unless it is already complete; rename it only if the lock allows it."""
    fetched = path
    if not (path.is_file() and file.is_whole(path)):
        fetched = path.with_name(f".{path.name}.new")
        hub.fetch(file, fetched, f"{path}: differs from the file on the hub and was removed")
    digest = file.sha256 or sha256(fetched)
    found = Locked(version.dataset, file.path, version.url, file.commit, file.bytes, digest)
    state.check(found, fetched)
    if fetched != path:
        fetched.replace(path)
    return found


def _safe(target: str) -> str:
    if target.startswith("/") or ".." in PurePosixPath(target).parts:
        raise UserError(f"{target!r}: a file on the hub that would be written outside the folder")
    return target


def _size(count: int) -> str:
    return str(tqdm.format_sizeof(count, "iB", 1024))


def _log_source(version: Version, snapshot: Snapshot, files: list[HubFile]) -> None:
    _log.info(
        "%s: %s at %s, %d of %d files, %s, licence %s; the hub says %s, gated: %s (%s)",
        *(version.dataset, snapshot.repository, snapshot.commit, len(files), len(snapshot.files)),
        *(_size(sum(file.bytes for file in files)), version.licence, snapshot.licence),
        *("yes" if snapshot.gated else "no", version.note),
    )


def _messages(version: Version, state: LockState, locked: bool) -> HubMessages:
    """Return the wording of hub error messages about a dataset."""
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


def only_wanted(wanted: str, path: str) -> str | None:
    """Return a file's name if it is the requested file of a repository, otherwise None."""
    return path if path == wanted else None


def unpack_or_link(path: Path, root: Path, choose: Choose, check: Check) -> None:
    """Unpack an archive into the dataset's folder, or link any other file there."""
    if is_archive(path):
        unpack(path, root, choose, check)
    elif choose(path.name):
        link_files(path.parent, root, [Path(path.name)])


@command
def main(
    *,
    dataset: str,
    versions: Path,
    lock: Path,
    cache: Path,
    settings: Json,
    root: Path,
    output: Path,
) -> None:
    """Fetch, unpack, count, lock; write the receipt last."""
    splits = settings["splits"]
    layout = layouts_base.find(settings["layout"])
    layouts_base.check_output(root, output)
    layouts_base.check_released(layout, splits)
    wanted = sources_of(read_versions(versions, dataset, layout.NAME), layout, splits)
    state = LockState(versions, lock, table.read_lock(lock))
    choose = partial(layouts_base.member, layout, splits=splits)
    needed = partial(layouts_base.member, layout, splits=list(layout.RELEASED or splits))
    found: list[Locked] = []
    for version in wanted:
        if version.repository and version.is_archive:
            found += pull(version, state, cache, partial(only_wanted, version.file), needed)
        elif version.repository:
            found += pull(version, state, root, choose, needed)
        else:
            found += get_archive(version, state, cache)
    for version in wanted:
        if version.is_archive:
            path = cache / version.file
            unpack_or_link(path, root, choose, partial(check_count, version, needed, str(path)))
    counts, files = layout.inventory(root, splits)
    table.add_to_lock(lock, found)  # only now is it verified to be the dataset
    write_receipt(
        root, dataset=dataset, layout=layout.NAME, source="download", splits=counts, files=files
    )


if __name__ == "__main__":
    main()
