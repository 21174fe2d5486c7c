"""What the report refuses of attention: a value without n and interval."""

from pathlib import Path

import polars as pl

from eyechart.core.errors import UserError
from eyechart.report.files import check_pair


def check_summary(path: Path, rows: pl.DataFrame) -> None:
    """Refuse a row of another model or dataset than the path names, or a value that stands alone.

    Raise a UserError naming file, metric, task and address.
    """
    check_pair(path, rows.select("model", "dataset").unique().iter_rows())
    alone = pl.col("ci_low").is_null() | (pl.col("n") < 1)
    bare = rows.filter(pl.col("value").is_not_null() & alone)
    if len(bare):
        row = bare.row(0, named=True)
        raise UserError(
            f"{path}: {row['metric']} of {row['task']} at {row['address']} has a value without "
            "n and interval"
        )
