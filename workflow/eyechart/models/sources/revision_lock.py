"""The lock file: the commit that each revision of a hub repository had when first used.

It is a tab-separated table that belongs under version control, next to data/versions.tsv. A branch
or tag that has since moved is refused, so that results never change silently.
"""

from pathlib import Path

from eyechart.core.errors import UserError
from eyechart.core.lock import alone, malformed, read_rows, write_rows
from eyechart.models.sources.permission import COMMIT

COLUMNS = ("checkpoint", "revision", "commit")
_EXPECTED = f"{', '.join(COLUMNS)} with a commit of 40 hex digits"
Commits = dict[tuple[str, str], str]


def settle(lock: Path, model: str, checkpoint: str, revision: str, commit: str) -> None:
    """Lock the commit of a revision, or check it against the locked one.

    This is safe for concurrent jobs. Raise a UserError if the revision is locked to another commit,
    or the file is malformed.
    """
    with alone(lock):
        commits = read(lock)
        known = commits.setdefault((checkpoint, revision), commit)
        if known != commit:
            raise UserError(
                f"{lock}: {revision!r} of {checkpoint} was {known} and is now {commit}; to keep "
                f"the old one write revisions: {{{model}: {known}}} in the configuration, to take "
                "the new one delete the line"
            )
        write_rows(lock, COLUMNS, [(*key, found) for key, found in sorted(commits.items())])


def read(lock: Path) -> Commits:
    """Return the commits by (checkpoint, revision); empty if there is no file."""
    rows = read_rows(lock, COLUMNS, _EXPECTED)
    for number, row in enumerate(rows, 2):
        if not COMMIT.fullmatch(row["commit"]):
            raise malformed(lock, number, "\t".join(row.values()), _EXPECTED)
    return {(row["checkpoint"], row["revision"]): row["commit"] for row in rows}
