"""The table of versions, ``data/versions.tsv``, and the lock file next to it.

The table has the download addresses and licences of datasets, with one row per archive or plain
file, or per hub repository (``hub:datasets/<owner>/<name>@<revision>``), in which ``file`` may name
one archive. Size and checksum are ``-`` if they were not published. ``files`` is the minimum number
of files in a complete copy that the layout needs for all its splits; ``-`` if unknown.

The lock file, ``data/versions.lock.tsv``, then stores the size and checksum of the first download,
and the commit of hub files. It belongs under version control. Later downloads that differ are
rejected, so results never change silently.
"""

import csv
import io
import re
from dataclasses import astuple, dataclass
from pathlib import Path

from eyechart.core.errors import UserError, nearest
from eyechart.core.files import read
from eyechart.core.lock import alone, malformed, read_rows, write_rows

COLUMNS = ("dataset", "file", "url", "bytes", "sha256", "files", "licence", "note")
LOCK_COLUMNS = ("dataset", "file", "url", "commit", "bytes", "sha256")
UNKNOWN = "-"
_UNPUBLISHED = ("bytes", "sha256", "files")
_HUB = re.compile(r"hub:datasets/([\w.-]+/[\w.-]+)@([\w./-]+)")
_ENDING = r"(zip|tar\.gz|tgz|mat)"
_ENDINGS = ".zip, .tar.gz, .tgz or .mat"
_FILES = ("files", r"[1-9]\d*|-", "a count of files, or - if unknown")
_ARCHIVE = (
    _FILES,
    ("file", rf"[\w][\w.-]*\.{_ENDING}", f"a plain name ending in {_ENDINGS}"),
    ("bytes", r"[1-9]\d*|-", "a count of bytes, or - if unknown"),
    ("sha256", r"[0-9a-f]{64}|-", "64 hex digits, or - if unknown"),
)
_REPOSITORY = (
    _FILES,
    ("file", rf"-|[\w][\w.-]*\.{_ENDING}", f"- for all files needed, or an archive ({_ENDINGS})"),
    ("bytes", r"-", "- as the hub states it for every file"),
    ("sha256", r"-", "- as the lock file stores it for every file"),
)
_LOCKED = {"commit": r"[0-9a-f]{40}|-", "bytes": r"\d+", "sha256": r"[0-9a-f]{64}"}
_EXPECTED = (
    f"{', '.join(LOCK_COLUMNS)} with a commit of 40 hex digits or {UNKNOWN}, a count of bytes, and "
    "64 hex digits"
)


@dataclass(frozen=True)
class Version:
    """One source of a dataset, from its row; fields with ``-`` are None."""

    dataset: str
    file: str
    url: str
    bytes: int | None
    sha256: str | None
    files: int | None
    licence: str
    note: str

    @property
    def is_archive(self) -> bool:
        """Whether the source is one file that is cached and then unpacked."""
        return self.file != UNKNOWN

    @property
    def repository(self) -> tuple[str, str] | None:
        """The hub repository and the requested revision; None for an archive."""
        found = _HUB.fullmatch(self.url)
        return (found[1], found[2]) if found else None


@dataclass(frozen=True)
class Locked:
    """A file as first downloaded; ``commit`` is ``-`` for files that are not from the hub."""

    dataset: str
    file: str
    url: str
    commit: str
    bytes: int
    sha256: str

    @property
    def key(self) -> tuple[str, str]:
        """Key of the file in later downloads."""
        return self.dataset, self.file


Locks = dict[tuple[str, str], Locked]


def read_versions(path: Path, dataset: str, layout: str) -> list[Version]:
    """Return the sources of a dataset, in the table's order.

    A dataset with its own name uses the sources of the dataset named like its layout. A UserError
    names a missing table, column or dataset, or a malformed value.
    """
    try:
        text = io.StringIO(read(path).decode("utf-8"), newline="")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    rows = list(csv.DictReader(text, delimiter="\t"))
    known = {row["dataset"] for row in rows if row.get("dataset")}
    name = dataset if dataset in known else layout
    if name not in known:
        raise UserError(f"{path}: no row for dataset {dataset!r}; {nearest(dataset, known)}")
    named = [(line, row) for line, row in enumerate(rows, 2) if row["dataset"] == name]
    return [_version(row, f"{path}: line {line}") for line, row in named]


def _version(row: dict[str, str], where: str) -> Version:
    for column in COLUMNS:
        if row.get(column) is None:
            raise UserError(f"{where}: column {column!r} is missing; {nearest(column, row)}")
    if not re.fullmatch(r"https?://\S+", row["url"]) and not _HUB.fullmatch(row["url"]):
        raise UserError(
            f"{where}: url is {row['url']!r}, expected an http or https address, or "
            "hub:datasets/<owner>/<name>@<revision>"
        )
    for column, form, expected in _REPOSITORY if _HUB.fullmatch(row["url"]) else _ARCHIVE:
        if not re.fullmatch(form, row[column]):
            raise UserError(f"{where}: {column} is {row[column]!r}, expected {expected}")
    size, digest, files = (None if row[c] == UNKNOWN else row[c] for c in _UNPUBLISHED)
    texts = {column: row[column] for column in COLUMNS if column not in _UNPUBLISHED}
    count = int(files) if files else None
    return Version(**texts, bytes=int(size) if size else None, sha256=digest, files=count)


def read_lock(lock: Path) -> Locks:
    """Return locked entries by (dataset, file); empty if there is no lock file.

    A UserError names a malformed line.
    """
    found = []
    for number, row in enumerate(read_rows(lock, LOCK_COLUMNS, _EXPECTED), 2):
        if not all(re.fullmatch(form, row[column]) for column, form in _LOCKED.items()):
            raise malformed(lock, number, "\t".join(row.values()), _EXPECTED)
        found.append(Locked(**{**row, "bytes": int(row["bytes"])}))  # type: ignore[arg-type]
    return {locked.key: locked for locked in found}


def add_to_lock(lock: Path, found: list[Locked]) -> None:
    """Add new entries to the lock file; safe for concurrent jobs.

    Raise a UserError if a file differs from an entry that another job has just added.
    """
    if not found:
        return
    with alone(lock):
        locks = read_lock(lock)
        for new in found:
            compare(lock, locks.setdefault(new.key, new), new)
        rows = [tuple(map(str, astuple(locks[key]))) for key in sorted(locks)]
        write_rows(lock, LOCK_COLUMNS, rows)


def compare(lock: Path, known: Locked, new: Locked, path: Path | None = None) -> None:
    """Raise a UserError if the file at ``path`` differs from its locked entry."""
    if (known.bytes, known.sha256) != (new.bytes, new.sha256):
        damaged = f"if {path} is damaged, delete it and run again; " if path else ""
        raise UserError(
            f"{lock}: {new.file!r} of {new.dataset} was {known.bytes} bytes with sha256 "
            f"{known.sha256} and is now {new.bytes} bytes with sha256 {new.sha256}; {damaged}"
            f"to accept the new content of {new.url}, delete its line; to keep the old, get it "
            "elsewhere and use it as source: local"
        )
