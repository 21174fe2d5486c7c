"""The files that the report reads: the path pattern of each table, and the names in a path.

Snakemake imports this module at parse time, so it must not import numpy or polars.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError, nearest
from eyechart.core.files import read_json, sha256
from eyechart.plan import paths

# The pattern of each table, and the name in it that distinguishes it from others with this pattern
TABLES: dict[str, tuple[paths.Pattern, str]] = {
    "items": (paths.ITEMS, ""),
    "images": (paths.IMAGES, ""),
    "regions": (paths.REGIONS, ""),
    "receipts": (paths.RECEIPT, ""),
    "cards": (paths.CARD, ""),
    "views": (paths.VIEW, ""),
    "manifests": (paths.MANIFEST, ""),
    "probes": (paths.PROBES, ""),
    "predictions": (paths.PROBE_PREDICTIONS, ""),
    "scores": (paths.SCORES, ""),
    "distributions": (paths.DISTRIBUTIONS, ""),
    "answers": (paths.RESPONSES, ""),
    "retrieval": (paths.RETRIEVAL, ""),
    "patterns": (paths.PATTERN_TABLES, "patterns"),
    "correlations": (paths.PATTERN_TABLES, "correlations"),
    "own_patterns": (paths.PATTERN_TABLES_OF_MODEL, "patterns"),
    "own_correlations": (paths.PATTERN_TABLES_OF_MODEL, "correlations"),
    "pairs": (paths.PAIRS, ""),
    "verdicts": (paths.VERDICT, ""),
    "classes": (paths.CLASSES, ""),
    "differences": (paths.DIFFERENCES, ""),
    "heads": (paths.DEPTH_ERRORS, ""),
    "readouts": (paths.READOUTS, ""),
    "cues": (paths.CONCEPTS, "cues"),
    "separation": (paths.CONCEPTS, "separation"),
    "projection": (paths.CONCEPTS, "projection"),
    "attention": (paths.ATTENTION, "summary"),
    "lens": (paths.ATTENTION, "lens"),
    "words": (paths.ATTENTION, "words"),
    "maps": (paths.ATTENTION, "maps"),
    "effects": (paths.INTERVENTIONS, "effects"),
    "saliency": (paths.SALIENCY, "summary"),
    "saliency_maps": (paths.SALIENCY, "maps"),
    "deletions": (paths.SALIENCY, "curves"),
    "image_use": (paths.IMAGE_USE, ""),
    "tuning": (paths.TUNING, ""),
    "tuning_maps": (paths.TUNED_MAPS, ""),
    "built": (paths.READY, ""),
    "curves": (paths.CURVE, ""),
    "shipped_curves": (paths.SHIPPED_CURVE, ""),
}
_NAMED = {value: name for name, value in TABLES.items()}


@dataclass(frozen=True)
class File:
    """A file, its kind of table, and the names in its path (``model``, ``dataset``, …)."""

    table: str
    path: Path
    names: dict[str, str]

    @property
    def pair(self) -> tuple[str, str]:
        """The model and dataset named in the path, or '' for a part that is absent."""
        return self.names.get("model", ""), self.names.get("dataset", "")


class Inputs:
    """Files by table, in the given order."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.files = [identify(path) for path in dict.fromkeys(paths)]

    def of(self, *tables: str) -> list[File]:
        """Return the files of some tables."""
        return [file for file in self.files if file.table in tables]

    def paths(self, *tables: str) -> list[Path]:
        """Return the paths of some tables."""
        return [file.path for file in self.of(*tables)]

    def by_dataset(self, table: str) -> dict[str, Path]:
        """Return the path of a table for each dataset."""
        return {file.names["dataset"]: file.path for file in self.of(table)}

    def reads(self) -> dict[str, tuple[str, ...]]:
        """Return the vision outputs that the connector reads, for each model with a card."""
        cards = (read_json(path) for path in self.paths("cards"))
        return {card["model"]: tuple(card["reads"]) for card in cards}

    def describe(self) -> list[dict[str, Any]]:
        """Return the path, size and first 16 SHA-256 digits of every file."""
        paths = [file.path for file in self.files]
        return [
            {"path": str(p), "bytes": p.stat().st_size, "sha256": sha256(p)[:16]} for p in paths
        ]


def identify(path: Path | str) -> File:
    """Return the file that a path denotes.

    >>> identify("results/behavior/scores/tiny_clip/coco.parquet").table
    'scores'

    Raise a UserError if it matches no pattern.
    """
    found = paths.find(path, None)
    table = _NAMED.get((found[0], found[1].get("table", ""))) if found else None
    if found is None or table is None:
        known = [pattern.rule(table=one) if one else pattern.rule() for pattern, one in _NAMED]
        raise UserError(
            f"--tables: {path} is not a file that the report reads; "
            f"{nearest(str(path), [one.replace(paths.ROOT, paths.RESULTS) for one in known])}"
        )
    return File(table, Path(path), found[1])


def check_pair(path: Path, pairs: Iterable[tuple[str, ...]]) -> None:
    """Raise a UserError if a row's model and dataset are not those in the table's path."""
    expected = identify(path).pair
    for pair in pairs:
        if pair != expected:
            raise UserError(f"{path}: a row is about {' on '.join(pair)}, unlike its path")
