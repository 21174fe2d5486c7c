"""The receipt ``acquired.json`` of a raw dataset: its source and the hash of every file."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

from tqdm import tqdm

from eyechart.core.errors import UserError, nearest
from eyechart.core.files import read_json, sha256, write_json
from eyechart.core.threads import thread_pool

NAME = "acquired.json"
SOURCES = ("render", "local", "download")
_THREADS = 8  # hashing releases the GIL and waits for the disk


class FileEntry(TypedDict):
    """One file of a raw dataset: path from the dataset's folder, bytes, SHA-256."""

    path: str
    bytes: int
    sha256: str


class SplitCounts(TypedDict):
    """The numbers of images and questions in a split."""

    images: int
    questions: int


class Receipt(TypedDict):
    """The content of ``acquired.json``."""

    dataset: str
    layout: str
    source: str
    splits: dict[str, SplitCounts]
    files: list[FileEntry]


def write_receipt(
    root: Path,
    *,
    dataset: str,
    layout: str,
    source: str,
    splits: dict[str, SplitCounts],
    files: Iterable[Path],
) -> None:
    """Hash the files with a pool of threads and write ``<root>/acquired.json``, atomically.

    Raise a UserError if the source is unknown or a file is missing.

    Parameters
    ----------
    root : the dataset's folder, ``data/raw/<dataset>``
    dataset, layout, source : name of the dataset, name of its official layout (``clevr``), and one
        of :data:`SOURCES`
    splits : the counts of images and questions per official split, in the desired order
    files : every file of the dataset, relative to ``root`` or starting with it; written in sorted
        order
    """
    if source not in SOURCES:
        raise UserError(f"source is {source!r}; {nearest(source, SOURCES)}")
    paths = sorted({_from_root(Path(file), Path(root)) for file in files})
    with thread_pool(_THREADS) as pool:
        entries = pool.map(lambda path: _entry(Path(root), path), paths)
        listed = list(tqdm(entries, "hashing", len(paths), unit="file", mininterval=1.0))
    receipt = Receipt(dataset=dataset, layout=layout, source=source, splits=splits, files=listed)
    write_json(Path(root) / NAME, receipt)


def read_receipt(path: Path) -> Receipt:
    """Load a receipt. Raise a UserError if the file is missing, is not JSON, or lacks a field."""
    receipt: Receipt = read_json(path)
    for field in Receipt.__required_keys__:
        if field not in receipt:
            raise UserError(
                f"{path}: field {field!r} is missing; delete the receipt and acquire the dataset "
                "again"
            )
    return receipt


def _from_root(file: Path, root: Path) -> str:
    return (file.relative_to(root) if file.is_relative_to(root) else file).as_posix()


def _entry(root: Path, path: str) -> FileEntry:
    file = root / path
    try:
        return FileEntry(path=path, bytes=file.stat().st_size, sha256=sha256(file))
    except FileNotFoundError:
        raise UserError(f"{file}: no such file, but the dataset needs it") from None
