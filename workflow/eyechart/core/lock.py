"""Lock files: tab-separated tables that several jobs may add to at once, kept by the user."""

import csv
import fcntl
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eyechart.core.errors import UserError
from eyechart.core.files import write_text


def read_rows(lock: Path, columns: tuple[str, ...], expected: str) -> list[dict[str, str]]:
    """Give the rows, in order; of a file that is not there, none.

    ``expected`` ends the sentence about a row with more or fewer values than ``columns``.

    Raises
    ------
    UserError
        If the columns are others, or a row has more or fewer.
    """
    if not lock.exists():
        return []
    lines = lock.read_text(encoding="utf-8").splitlines()
    rows = list(csv.reader(lines, delimiter="\t"))
    if not rows or tuple(rows[0]) != columns:
        raise UserError(f"{lock}: line 1 must be the columns {', '.join(columns)}, tab-separated")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(columns):
            raise malformed(lock, number, "\t".join(row), expected)
    return [dict(zip(columns, row, strict=True)) for row in rows[1:]]


def malformed(lock: Path, line: int, text: str, expected: str) -> UserError:
    """Give the error of a line that is not of the form expected."""
    return UserError(f"{lock}: line {line} is {text!r}, expected {expected}")


def write_rows(lock: Path, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Write the rows, atomically; a file that says so already is left as it is."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerows([columns, *rows])
    if not lock.exists() or lock.read_text(encoding="utf-8") != text.getvalue():
        write_text(lock, text.getvalue())


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Keep others from writing; the kernel gives this back when its holder dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock.with_name(f".{lock.name}.held"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
