"""Pair accuracies of encoders and VLMs by visual pattern, and their correlations."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.core.errors import UserError
from eyechart.tables.parquet import read_table
from eyechart.tables.scores import ALL, CORRELATIONS, PATTERNS, pattern_order

UNKNOWN = "mmvp"  # the task of items without a published pattern
Row = dict[str, Any]
ALONE = {"accuracy": ("ci_low", "ci_high", "chance", "pairs"), "r": ("p", "q", "n")}


@dataclass(frozen=True)
class Series:
    """One model's pair accuracies on one dataset.

    ``rows`` are the rows of PATTERNS in the paper's order; ``overall`` is the row over all
    patterns, and the only row if no item has a known pattern.
    """

    model: str
    kind: str
    dataset: str
    rows: tuple[Row, ...]
    overall: Row | None

    def name(self) -> str:
        """Return the name in legends and table heads."""
        return f"{self.model} on {self.dataset}"

    def at(self, pattern: str) -> Row | None:
        """Return the row of a pattern, or None."""
        return next((row for row in self.rows if row["pattern"] == pattern), None)


@dataclass(frozen=True)
class EncoderAgainstVLM:
    """An encoder and a VLM with their series and the rows of their correlations."""

    encoder: Series
    vlm: Series
    correlations: tuple[Row, ...]

    def shared(self) -> list[str]:
        """Return their common patterns."""
        return [r["pattern"] for r in self.encoder.rows if self.vlm.at(r["pattern"])]


def pattern_table(series: Sequence[Series]) -> list[Row]:
    """Return one line per pattern and one over all; ``at`` has the row of every series, or None."""
    patterns = {row["pattern"] for one in series for row in one.rows}
    lines = [
        {"pattern": p, "at": [one.at(p) for one in series]}
        for p in sorted(patterns, key=pattern_order)
    ]
    return [*lines, {"pattern": "all", "at": [one.overall for one in series]}]


def read_series(paths: Sequence[Path]) -> list[Series]:
    """Read tables of patterns: encoders first, then by model and dataset.

    Raise a UserError if the checks of this section reject a table.
    """
    found = []
    for path in paths:
        table = pl.DataFrame(read_table(path, PATTERNS.names))
        check_patterns(path, table)
        for (model, kind, dataset), part in table.group_by("model", "kind", "dataset"):
            named = {row["pattern"]: row for row in part.iter_rows(named=True)}
            overall = named.pop(ALL, None)
            named.pop(UNKNOWN, None)
            rows = tuple(named[p] for p in sorted(named, key=pattern_order))
            found.append(Series(str(model), str(kind), str(dataset), rows, overall))
    return sorted(found, key=lambda s: (s.kind != "encoder", s.model, s.dataset))


def read_comparisons(paths: Sequence[Path], series: Sequence[Series]) -> list[EncoderAgainstVLM]:
    """Read tables of correlations: one comparison per encoder and VLM, in ``series`` order.

    Raise a UserError if a correlation lacks its context or names a missing series.
    """
    by_name = {(s.model, s.dataset): s for s in series}
    found: dict[tuple[str, ...], list[Row]] = {}
    for path in paths:
        table = pl.DataFrame(read_table(path, CORRELATIONS.names))
        check_correlations(path, table, set(by_name))
        for row in table.iter_rows(named=True):
            ends = ("encoder", "encoder_dataset", "vlm", "vlm_dataset")
            found.setdefault(tuple(row[end] for end in ends), []).append(row)
    return [
        EncoderAgainstVLM(by_name[key[:2]], by_name[key[2:]], tuple(rows))  # type: ignore[index]
        for key, rows in sorted(found.items())
    ]


def overview(patterns: Sequence[Path], correlations: Sequence[Path]) -> Row | None:
    """Return the series, their table and the comparisons of all models; None if there are none."""
    series = read_series(patterns)
    if not series:
        return None
    comparisons = read_comparisons(correlations, series)
    return {"series": series, "table": pattern_table(series), "comparisons": comparisons}


def check_patterns(path: Path, rows: pl.DataFrame) -> None:
    """Reject pair accuracies without interval, chance or number of pairs.

    Raise a UserError that names file, model, pattern and field.
    """
    _check(path, rows, "accuracy", ("model", "pattern"))


def check_correlations(path: Path, rows: pl.DataFrame, series: Collection[tuple[str, str]]) -> None:
    """Reject correlations without test or n, or of models without a pattern table.

    A correlation itself may be missing if there are too few patterns or all have the same accuracy.
    Raise a UserError that names file, encoder, VLM and field.
    """
    _check(path, rows, "r", ("encoder", "vlm", "kind"))
    for row in rows.iter_rows(named=True):
        for end in ("encoder", "vlm"):
            name = row[end], row[f"{end}_dataset"]
            if name not in series:
                raise UserError(f"{path}: {end} {' on '.join(name)} has no pair accuracies")


def _check(path: Path, rows: pl.DataFrame, value: str, named: tuple[str, ...]) -> None:
    for row in rows.iter_rows(named=True):
        absent = [f for f in ALONE[value] if row[f] is None or row[f] != row[f]]
        if row[value] is not None and absent:
            what = ", ".join(row[name] for name in named)
            raise UserError(f"{path}: {what}: {value!r} without {absent[0]!r}")
