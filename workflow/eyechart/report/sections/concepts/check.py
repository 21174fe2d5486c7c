"""What the report refuses of concept similarity: a number without interval, chance or control."""

from pathlib import Path

import polars as pl

from eyechart.core.errors import UserError
from eyechart.report.files import check_pair

NEEDED = {
    "cues": ("share", "ci_low", "ci_high", "chance", "n", "groups"),
    "separation": ("accuracy", "ci_low", "ci_high", "chance", "control", "n"),
    "projection": ("first", "second", "components"),
}


def check_concepts(path: Path, table: str, rows: pl.DataFrame) -> None:
    """Refuse a table in which a number is missing, or a row of another model or dataset.

    Raise a UserError naming file, row and column.
    """
    check_pair(path, rows.select("model", "dataset").unique().iter_rows())
    for column in NEEDED[table]:
        missing = rows.with_row_index("row").filter(pl.col(column).is_null())
        if len(missing):
            row, address = missing.select("row", "address").row(0)
            raise UserError(f"{path}: row {row} ({address}): {column} is null, expected a number")
