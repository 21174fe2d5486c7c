"""The files that the report reads: the pattern of each table's path, and what a path names.

Snakemake imports this at parse time, so it needs neither numpy nor polars.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eyechart.errors import UserError, nearest
from eyechart.tables.files import sha256

PATTERNS = {
    "items": "results/datasets/{dataset}/items.parquet",
    "images": "results/datasets/{dataset}/images.parquet",
    "regions": "results/datasets/{dataset}/regions.parquet",
    "receipts": "data/raw/{dataset}/acquired.json",
    "cards": "results/models/{model}/card.json",
    "views": "results/models/{model}/view.png",
    "manifests": "results/activations/{model}/{dataset}/{scope}/manifest.json",
    "probes": "results/probes/{model}/{dataset}/{task}.parquet",
    "predictions": "results/probes/{model}/{dataset}/{task}.predictions.parquet",
    "scores": "results/scores/{model}/{dataset}.parquet",
    "distributions": "results/scores/{model}/{dataset}.distributions.parquet",
    "answers": "results/answers/{model}/{dataset}/{condition}.parquet",
    "retrieval": "results/retrieval/{model}/{dataset}.parquet",
    "patterns": "results/mmvp/patterns.parquet",
    "correlations": "results/mmvp/correlations.parquet",
    "own_patterns": "results/mmvp/{model}/patterns.parquet",
    "own_correlations": "results/mmvp/{model}/correlations.parquet",
    "pairs": "results/mining/{first}_against_{second}/{dataset}/pairs.parquet",
    "verdicts": "results/verdict/{model}.parquet",
    "heads": "results/readouts/{model}/depth_heads.json",
    "readouts": "results/readouts/{model}/{dataset}.parquet",
    "cues": "results/concepts/{model}/{dataset}/cues.parquet",
    "separation": "results/concepts/{model}/{dataset}/separation.parquet",
    "projection": "results/concepts/{model}/{dataset}/projection.parquet",
    "attention": "results/attention/{model}/{dataset}/summary.parquet",
    "lens": "results/attention/{model}/{dataset}/lens.parquet",
    "words": "results/attention/{model}/{dataset}/words.parquet",
    "maps": "results/attention/{model}/{dataset}/maps.parquet",
    "curves": "results/training/{stage}/curve.parquet",
    "shipped_curves": "data/weights/{model}/{stage}.curve.parquet",
}


@dataclass(frozen=True)
class File:
    """A file, the table that it is, and what its path names (``model``, ``dataset``, …)."""

    table: str
    path: Path
    names: dict[str, str]

    @property
    def pair(self) -> tuple[str, str]:
        """The model and dataset that the path names; a part that it does not name is empty."""
        return self.names.get("model", ""), self.names.get("dataset", "")


class Inputs:
    """Files by table, in the order in which they were given."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.files = [identify(path) for path in dict.fromkeys(paths)]

    def of(self, *tables: str) -> list[File]:
        """Return the files of some tables."""
        return [file for file in self.files if file.table in tables]

    def paths(self, *tables: str) -> list[Path]:
        """Return the paths of some tables."""
        return [file.path for file in self.of(*tables)]

    def by_dataset(self, table: str) -> dict[str, Path]:
        """Return the path of a table of each dataset."""
        return {file.names["dataset"]: file.path for file in self.of(table)}

    def describe(self) -> list[dict[str, Any]]:
        """Return path, bytes and the first 16 digits of the SHA-256 of every file."""
        paths = [file.path for file in self.files]
        return [
            {"path": str(p), "bytes": p.stat().st_size, "sha256": sha256(p)[:16]} for p in paths
        ]


def identify(path: Path | str) -> File:
    """Return what a path names.

    >>> identify("results/scores/tiny_clip/coco.parquet").table
    'scores'

    Raises
    ------
    UserError
        If it matches no pattern.
    """
    for table, pattern in PATTERNS.items():
        found = _expression(pattern).search(str(path))
        if found:
            return File(table, Path(path), found.groupdict())
    raise UserError(
        f"--tables: {path} is none of the files that the report reads; "
        f"{nearest(str(path), PATTERNS.values())}"
    )


def check_pair(path: Path, pairs: Iterable[tuple[str, ...]]) -> None:
    """Raise a UserError if a row's model and dataset are not those that the table's path names."""
    expected = identify(path).pair
    for pair in pairs:
        if pair != expected:
            raise UserError(f"{path}: a row is of {' on '.join(pair)}, not of its path")


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", pattern)
    text = "".join(f"(?P<{p}>[^/.]+)" if i % 2 else re.escape(p) for i, p in enumerate(parts))
    return re.compile(f"(?:^|/){text}$")
