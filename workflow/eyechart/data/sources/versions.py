"""The table of versions, ``data/versions.tsv``: download addresses and licences of datasets.

One row per archive or plain file, or per hub repository
(``hub:datasets/<owner>/<name>@<revision>``), of which ``file`` may name one archive. Size and
checksum are ``-`` if they were not published; the lock file then keeps those of the first download.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from eyechart.core.errors import UserError, nearest

COLUMNS = ("dataset", "file", "url", "bytes", "sha256", "licence", "note")
UNKNOWN = "-"
_HUB = re.compile(r"hub:datasets/([\w.-]+/[\w.-]+)@([\w./-]+)")
_ENDING = r"(zip|tar\.gz|tgz|mat)"
_ENDINGS = ".zip, .tar.gz, .tgz or .mat"
_ARCHIVE = (
    ("file", rf"[\w][\w.-]*\.{_ENDING}", f"a plain name ending in {_ENDINGS}"),
    ("bytes", r"[1-9]\d*|-", "a count of bytes, or - where it is not known"),
    ("sha256", r"[0-9a-f]{64}|-", "64 hex digits, or - where they are not known"),
)
_REPOSITORY = (
    ("file", rf"-|[\w][\w.-]*\.{_ENDING}", f"- for all files needed, or an archive ({_ENDINGS})"),
    ("bytes", r"-", "- as the hub says it of every file"),
    ("sha256", r"-", "- as the lock file keeps it of every file"),
)


@dataclass(frozen=True)
class Version:
    """One source of a dataset, from its row; None where the row has ``-``."""

    dataset: str
    file: str
    url: str
    bytes: int | None
    sha256: str | None
    licence: str
    note: str

    @property
    def is_archive(self) -> bool:
        """Whether it is one file that is cached first, then unpacked."""
        return self.file != UNKNOWN

    @property
    def repository(self) -> tuple[str, str] | None:
        """The hub repository and the wanted revision; None for an archive."""
        found = _HUB.fullmatch(self.url)
        return (found[1], found[2]) if found else None


def read_versions(path: Path, dataset: str, layout: str) -> list[Version]:
    """Return the sources of a dataset, in the table's order.

    A dataset with a name of its own uses the sources of the dataset named like its layout.

    Raises
    ------
    UserError
        If the table or a column is missing, a value is malformed, or no row is for this dataset.
    """
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    known = {row["dataset"] for row in rows if row.get("dataset")}
    name = dataset if dataset in known else layout
    if name not in known:
        raise UserError(f"{path}: no row for dataset {dataset!r}; {nearest(dataset, known)}")
    return [
        _version(row, f"{path}: line {line}")
        for line, row in enumerate(rows, 2)
        if row["dataset"] == name
    ]


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
    known = {column: row[column] for column in COLUMNS if row[column] != UNKNOWN}
    return Version(
        dataset=row["dataset"],
        file=row["file"],
        url=row["url"],
        bytes=int(known["bytes"]) if "bytes" in known else None,
        sha256=known.get("sha256"),
        licence=row["licence"],
        note=row["note"],
    )
