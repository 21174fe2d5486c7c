"""Download a dataset's official files or its hub repository, and take what is needed.

Reads: ``versions.tsv`` (address, size, checksum and licence of each source), the lock file
beside it, and the data site or hub named there; ``HF_TOKEN`` for private or gated repositories.
Writes: the archives under the cache folder; the wanted splits under the dataset's folder, in the
official layout; sizes and checksums of sources without one, into the lock file; the receipt
``acquired.json``, last.

    python -m eyechart.data.sources.download --dataset clevr --versions data/versions.tsv \
        --lock data/versions.lock.tsv --cache data/downloads \
        --settings '{"layout": "clevr", "splits": ["train", "val"]}' \
        --root data/raw/clevr --output data/raw/clevr/acquired.json
"""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tqdm import tqdm

from eyechart.core.files import describe
from eyechart.core.links import link_files
from eyechart.core.step import Json, command
from eyechart.data.layouts import base as layouts_base
from eyechart.data.layouts.base import LayoutModule
from eyechart.data.sources import hub_dataset, version_lock
from eyechart.data.sources.archive import is_archive, unpack
from eyechart.data.sources.http import fetch
from eyechart.data.sources.hub_dataset import LockState
from eyechart.data.sources.version_lock import Locked
from eyechart.data.sources.versions import UNKNOWN, Version, read_versions
from eyechart.tables.receipt import write_receipt

_log = logging.getLogger(__name__)


def sources_of(versions: list[Version], layout: LayoutModule, splits: list[str]) -> list[Version]:
    """Return the sources needed for the splits; an archive named like a split holds only it."""
    other = {f"{split}.zip" for split in layout.RELEASED or () if split not in splits}
    return [version for version in versions if version.file not in other]


def get_archive(version: Version, state: LockState, cache: Path) -> list[Locked]:
    """Fetch an archive into the cache; return its lock entry if its row has no checksum.

    Raises
    ------
    UserError
        If it cannot be fetched, or differs from its row or the lock file.
    """
    path = cache / version.file
    size = tqdm.format_sizeof(version.bytes, "iB", 1024) if version.bytes else "size not known"
    values = (version.dataset, version.file, size, version.licence, version.url, version.note)
    _log.info("%s: %s, %s, licence %s, from %s (%s)", *values)
    fetch(version.url, path, version.bytes, version.sha256)
    if version.sha256:
        return []
    is_ = describe(path)
    found = Locked(version.dataset, version.file, version.url, UNKNOWN, is_["bytes"], is_["sha256"])
    if known := state.locks.get(found.key):
        version_lock.compare(state.lock, known, found, path)
    return [found]


def only_wanted(wanted: str, path: str) -> str | None:
    """Return a file's name if it is the wanted one of a repository, else None."""
    return path if path == wanted else None


def unpack_or_link(path: Path, root: Path, choose: Callable[[str], str | None]) -> None:
    """Unpack an archive into the dataset's folder, or link any other file there."""
    if is_archive(path):
        unpack(path, root, choose)
    elif choose(path.name):
        link_files(path.parent, root, [Path(path.name)])


@command
def main(*, dataset: str, versions: Path, lock: Path, cache: Path, settings: Json, root: Path,
         output: Path) -> None:  # fmt: skip
    """Fetch, unpack, count, lock; write the receipt last."""
    splits = settings["splits"]
    layout = layouts_base.find(settings["layout"])
    layouts_base.check_output(root, output)
    layout.check_released(splits)
    wanted = sources_of(read_versions(versions, dataset, layout.NAME), layout, splits)
    state = LockState(versions, lock, version_lock.read(lock))
    choose = partial(layout.member, splits=splits)
    found: list[Locked] = []
    for version in wanted:
        if version.repository and version.is_archive:
            found += hub_dataset.pull(version, state, cache, partial(only_wanted, version.file))
        elif version.repository:
            found += hub_dataset.pull(version, state, root, choose)
        else:
            found += get_archive(version, state, cache)
    for version in wanted:
        if version.is_archive:
            unpack_or_link(cache / version.file, root, choose)
    counts, files = layout.inventory(root, splits)
    version_lock.add_to_lock(lock, found)  # only now is it verified to be the dataset
    write_receipt(
        root,
        dataset=dataset,
        layout=layout.NAME,
        source="download",
        splits=counts,
        files=files,
    )


if __name__ == "__main__":
    main()
