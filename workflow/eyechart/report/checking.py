"""Checks shared by all sections: they reject rows with missing or contradictory numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.core.errors import UserError

TOLERANCE = 1e-6  # shares, p and q are stored as float64; a larger difference is an error


class Checker:
    """The rows of one table, and the naming of rows in errors."""

    def __init__(
        self, path: Path | str, rows: pl.DataFrame, name: Callable[[dict[str, Any]], str]
    ) -> None:
        self.path, self.name = path, name
        self.rows = rows if "row" in rows.columns else rows.with_row_index("row")

    def refuse(self, wrong: pl.Expr, sentence: str, rows: pl.DataFrame | None = None) -> None:
        """Raise a UserError that names the first row for which ``wrong`` holds."""
        found = (self.rows if rows is None else rows).filter(wrong.fill_null(False))
        if not found.is_empty():
            row = found.row(0, named=True)
            raise UserError(f"{self.path}: row {row['row']} ({self.name(row)}): {sentence}")


def absent(field: str) -> pl.Expr:
    """Return whether a number is null, not a number or infinite."""
    value = pl.col(field).cast(pl.Float64)
    return value.is_null() | value.is_nan() | value.is_infinite()


def below(q: str, p: str) -> pl.Expr:
    """Return whether a q is below its p, which no correction can produce."""
    return pl.col(q) < pl.col(p) - TOLERANCE
