"""The lock file of datasets: size and checksum of files whose row in versions.tsv has none.

A tab-separated table, ``data/versions.lock.tsv``, to be kept under version control. The first
download is recorded; later downloads that differ are refused, so results never change silently. For
files of the hub it also keeps the commit.
"""

import re
from dataclasses import astuple, dataclass
from pathlib import Path

from eyechart.core.errors import UserError
from eyechart.core.lock import alone, malformed, read_rows, write_rows
from eyechart.data.sources.versions import UNKNOWN

COLUMNS = ("dataset", "file", "url", "commit", "bytes", "sha256")
_EXPECTED = (
    f"{', '.join(COLUMNS)} with a commit of 40 hex digits or {UNKNOWN}, a count of bytes, and "
    "64 hex digits"
)


@dataclass(frozen=True)
class Locked:
    """A file as first downloaded; ``commit`` is ``-`` if it is not from the hub."""

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


def read(lock: Path) -> Locks:
    """Return locked entries by (dataset, file); empty if there is no lock file.

    Raises
    ------
    UserError
        If a line is malformed.
    """
    found = []
    for number, row in enumerate(read_rows(lock, COLUMNS, _EXPECTED), 2):
        forms = {"commit": r"[0-9a-f]{40}|-", "bytes": r"\d+", "sha256": r"[0-9a-f]{64}"}
        if not all(re.fullmatch(form, row[column]) for column, form in forms.items()):
            raise malformed(lock, number, "\t".join(row.values()), _EXPECTED)
        found.append(Locked(**{**row, "bytes": int(row["bytes"])}))  # type: ignore[arg-type]
    return {locked.key: locked for locked in found}


def add_to_lock(lock: Path, found: list[Locked]) -> None:
    """Add new entries to the lock file; safe for concurrent jobs.

    Raises
    ------
    UserError
        If a file differs from an entry just added by another job.
    """
    if not found:
        return
    with alone(lock):
        locks = read(lock)
        for new in found:
            compare(lock, locks.setdefault(new.key, new), new)
        write_rows(lock, COLUMNS, [tuple(map(str, astuple(locks[key]))) for key in sorted(locks)])


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
