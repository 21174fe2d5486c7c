"""Download a dataset's official archives and unpack what is needed of them.

Reads: ``versions.tsv`` (url, bytes, sha256 of each archive) and the data site named there.
Writes: the archives under the cache folder; ``images/``, ``scenes/`` and ``questions/`` of the
wanted splits under the dataset's folder; the receipt ``acquired.json`` there, last.

    python -m eyechart.datasets.download --dataset clevr --versions data/versions.tsv \
        --cache data/downloads --settings '{"layout": "clevr", "splits": ["train", "val"]}' \
        --root data/raw/clevr --output data/raw/clevr/acquired.json
"""

import argparse
import csv
import json
import logging
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from eyechart import errors
from eyechart.datasets import clevr_layout as layout
from eyechart.datasets.archive import unpack
from eyechart.datasets.fetch import fetch
from eyechart.errors import UserError, nearest
from eyechart.tables.receipt import write_receipt

COLUMNS = ("dataset", "file", "url", "bytes", "sha256", "licence", "note")


@dataclass(frozen=True)
class Version:
    """One archive of a dataset, as its row in versions.tsv says."""

    file: str
    url: str
    bytes: int
    sha256: str


def read_versions(path: Path, dataset: str) -> list[Version]:
    """Give the archives of a dataset, in the table's order.

    Raises
    ------
    UserError
        If the table or a column is missing, a value is malformed, or no row is of this dataset.
    """
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    known = {row["dataset"] for row in rows if row.get("dataset")}
    if dataset not in known:
        raise UserError(f"{path}: no row for dataset {dataset!r}; {nearest(dataset, known)}")
    return [
        _version(row, f"{path}: line {line}")
        for line, row in enumerate(rows, 2)
        if row["dataset"] == dataset
    ]


def _version(row: dict[str, str], where: str) -> Version:
    for column in COLUMNS:
        if row.get(column) is None:
            raise UserError(f"{where}: column {column!r} is missing; {nearest(column, row)}")
    for column, form, expected in (
        ("file", r"[\w][\w.-]*\.zip", "a plain name ending in .zip"),
        ("url", r"https?://\S+", "an http or https address"),
        ("bytes", r"[1-9]\d*", "a count of bytes"),
        ("sha256", r"[0-9a-f]{64}", "64 hex digits"),
    ):
        if not re.fullmatch(form, row[column]):
            raise UserError(f"{where}: {column} is {row[column]!r}, expected {expected}")
    return Version(row["file"], row["url"], int(row["bytes"]), row["sha256"])


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the flags, all of them required."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--versions", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Fetch, unpack, count, and write the receipt."""
    args = parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    splits = args.settings["splits"]
    layout.check(args.settings["layout"], args.root, args.output)
    layout.check_released(splits)
    versions = read_versions(args.versions, args.dataset)
    for version in versions:
        fetch(version.url, args.cache / version.file, version.bytes, version.sha256)
    for version in versions:
        unpack(args.cache / version.file, args.root, partial(layout.member, splits=splits))
    counts, files = layout.inventory(args.root, splits)
    write_receipt(
        args.root,
        dataset=args.dataset,
        layout=layout.NAME,
        source="download",
        splits=counts,
        files=files,
    )


if __name__ == "__main__":
    errors.run(main)
