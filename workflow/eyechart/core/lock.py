"""Lock files: tab-separated tables, kept by the user, that several jobs may extend concurrently."""

import csv
import errno
import fcntl
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eyechart.core.errors import UserError
from eyechart.core.files import read, write_text

# Errors raised by file systems without locks
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


def read_rows(lock: Path, columns: tuple[str, ...], expected: str) -> list[dict[str, str]]:
    """Return the rows in order, or none if the file does not exist.

    ``expected`` ends the error sentence about a row of the wrong length. Raise a UserError if the
    columns or the length of a row differ.
    """
    if not lock.exists():
        return []
    lines = read(lock).decode("utf-8").splitlines()
    rows = list(csv.reader(lines, delimiter="\t"))
    if not rows or tuple(rows[0]) != columns:
        raise UserError(f"{lock}: line 1 must be the columns {', '.join(columns)}, tab-separated")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(columns):
            raise malformed(lock, number, "\t".join(row), expected)
    return [dict(zip(columns, row, strict=True)) for row in rows[1:]]


def malformed(lock: Path, line: int, text: str, expected: str) -> UserError:
    """Return the error for a malformed line."""
    return UserError(f"{lock}: line {line} is {text!r}, expected {expected}")


def write_rows(lock: Path, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Write the rows atomically, unless the file already has them."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerows([columns, *rows])
    if not lock.exists() or lock.read_text(encoding="utf-8") != text.getvalue():
        write_text(lock, text.getvalue())


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold the lock exclusively; the kernel releases it when its holder dies.

    If the file system has no locks, nothing is held. Writes are still atomic, but one of two
    simultaneous writes may be lost.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock.with_name(f".{lock.name}.held"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        yield
    finally:
        os.close(handle)
