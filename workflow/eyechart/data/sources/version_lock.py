"""The lock file of datasets: bytes and checksum of every file whose row of versions.tsv has none.

A tab-separated table, ``data/versions.lock.tsv``, that belongs under version control. What was
downloaded first is written down; what differs from it later is refused, so that a result never
changes behind the user's back. Of the hub's files it also keeps the commit.
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
    """What a file was when it was first downloaded; ``commit`` is ``-`` of what is no hub's."""

    dataset: str
    file: str
    url: str
    commit: str
    bytes: int
    sha256: str

    @property
    def key(self) -> tuple[str, str]:
        """What a later download of the same file is found by."""
        return self.dataset, self.file


Locks = dict[tuple[str, str], Locked]


def read(lock: Path) -> Locks:
    """Give what is locked by (dataset, file); of a file that is not there, nothing.

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


def settle(lock: Path, found: list[Locked]) -> None:
    """Write down what is not locked yet; several jobs may do so at once and lose no line.

    Raises
    ------
    UserError
        If a file differs from what another job has just written down.
    """
    if not found:
        return
    with alone(lock):
        locks = read(lock)
        for new in found:
            compare(lock, locks.setdefault(new.key, new), new)
        write_rows(lock, COLUMNS, [tuple(map(str, astuple(locks[key]))) for key in sorted(locks)])


def compare(lock: Path, known: Locked, new: Locked, path: Path | None = None) -> None:
    """Raise a UserError if a file, which stands at ``path``, is not what was locked."""
    if (known.bytes, known.sha256) != (new.bytes, new.sha256):
        damaged = f"if {path} is damaged delete it and run again, " if path else ""
        raise UserError(
            f"{lock}: {new.file!r} of {new.dataset} was {known.bytes} bytes with sha256 "
            f"{known.sha256} and is now {new.bytes} bytes with sha256 {new.sha256}; {damaged}"
            f"to accept what {new.url} holds now delete its line, to keep what it held before get "
            "that where it is still to be had and examine it as source: local"
        )
