"""Training curves, thinned for charts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.tables.parquet import read_table

CONDITIONS = ("sighted", "blank")  # the condition under which the model was scored
COLUMNS = ["stage", "step", "metric", "value"]
Row = dict[str, Any]


def read_curves(paths: Sequence[Path], points: int) -> list[Row]:
    """Return training curves with at most about ``points`` steps per stage and metric.

    The metrics ``sighted/color`` and ``blank/color`` are two lines in one panel ``accuracy``; any
    other metric has its own panel. The first and the last step are always kept.
    """
    found = []
    for path in paths:
        table = pl.DataFrame(read_table(path, COLUMNS)).drop_nulls()
        for _, part in table.group_by("metric", maintain_order=True):
            rows = part.sort("step")
            every = max(1, -(-len(rows) // points))
            thin = rows.with_row_index("i").filter(
                (pl.col("i") % every == 0) | (pl.col("i") == len(rows) - 1)
            )
            found += [_row(row) for row in thin.to_dicts()]
    return found


def _row(row: Row) -> Row:
    first, _, line = row["metric"].partition("/")
    scored = first in CONDITIONS
    panel = {"panel": "accuracy" if scored else first, "line": line}
    condition = first if scored else CONDITIONS[0]
    return {**row, "value": round(row["value"], 5), **panel, "condition": condition}
