"""What the report refuses of patterns: a pair accuracy or a correlation that stands alone."""

from collections.abc import Collection
from pathlib import Path

import polars as pl

from eyechart.core.errors import UserError

ALONE = {"accuracy": ("ci_low", "ci_high", "chance", "pairs"), "r": ("p", "q", "n")}


def check_patterns(path: Path, rows: pl.DataFrame) -> None:
    """Refuse pair accuracies without interval, chance or number of pairs.

    Raise a UserError naming file, model, pattern and field.
    """
    _check(path, rows, "accuracy", ("model", "pattern"))


def check_correlations(path: Path, rows: pl.DataFrame, series: Collection[tuple[str, str]]) -> None:
    """Refuse correlations without test or n, or of what has no pattern table.

    A correlation itself may be missing, where patterns are too few or all alike. Raise a UserError
    naming file, encoder, VLM and field.
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
