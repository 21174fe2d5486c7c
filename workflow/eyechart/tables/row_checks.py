"""Refuse a table with a wrong row: the first one is named in a one-sentence error."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.errors import UserError

Row = dict[str, Any]


def absent(field: str) -> pl.Expr:
    """Return the expression that is true where a number is null, NaN or infinite."""
    value = pl.col(field).cast(pl.Float64)
    return value.is_null() | value.is_nan() | value.is_infinite()


def refuse(
    path: Path | str,
    rows: pl.DataFrame,
    wrong: pl.Expr,
    sentence: str,
    where: Callable[[Row], str],
) -> None:
    """Raise a UserError about the first row for which ``wrong`` is true (null is not).

    Parameters
    ----------
    path : Path or str
        Opens the error.
    rows : DataFrame
    wrong : Expr
    sentence : str
        What is wrong with the row.
    where : callable
        From a row to the words that name it.
    """
    found = rows.filter(wrong)
    if not found.is_empty():
        raise UserError(f"{path}: {where(found.row(0, named=True))} {sentence}")
