"""The lock file: which commit each revision of a hub repository stood for when it was first used.

A tab-separated table that belongs under version control, beside data/versions.tsv. A branch or tag
that has since been moved is refused, so that a result never changes behind the user's back.
"""

import csv
import fcntl
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eyechart.errors import UserError
from eyechart.models.permission import COMMIT
from eyechart.tables.files import write_text

COLUMNS = ("checkpoint", "revision", "commit")
Commits = dict[tuple[str, str], str]


def settle(lock: Path, model: str, checkpoint: str, revision: str, commit: str) -> None:
    """Write down what a revision stands for, or compare it with what was written down.

    Several jobs may do so at once; none loses another's line.

    Raises
    ------
    UserError
        If the revision stood for another commit before, or the file is malformed.
    """
    with _alone(lock):
        commits = read(lock)
        known = commits.setdefault((checkpoint, revision), commit)
        if known != commit:
            raise UserError(
                f"{lock}: {revision!r} of {checkpoint} was {known} and is now {commit}; to keep "
                f"the old one write revisions: {{{model}: {known}}} in the configuration, to take "
                "the new one delete the line"
            )
        _write(lock, commits)


def read(lock: Path) -> Commits:
    """Give the commits by (checkpoint, revision); of a file that is not there, none."""
    if not lock.exists():
        return {}
    lines = lock.read_text(encoding="utf-8").splitlines()
    rows = list(csv.reader(lines, delimiter="\t"))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise UserError(f"{lock}: line 1 must be the columns {', '.join(COLUMNS)}, tab-separated")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(COLUMNS) or not COMMIT.fullmatch(row[2]):
            raise UserError(
                f"{lock}: line {number} is {lines[number - 1]!r}, expected {', '.join(COLUMNS)} "
                "with a commit of 40 hex digits"
            )
    return {(checkpoint, revision): commit for checkpoint, revision, commit in rows[1:]}


def _write(lock: Path, commits: Commits) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerows([COLUMNS, *((*key, commit) for key, commit in sorted(commits.items()))])
    if not lock.exists() or lock.read_text(encoding="utf-8") != text.getvalue():
        write_text(lock, text.getvalue())


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Keep others from writing; the kernel gives this back when its holder dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock.with_name(f".{lock.name}.held"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
