"""Tables of tuning, as the section shows them: rows over all seeds, checked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.report.checking import Checker, absent, below
from eyechart.report.files import check_pair
from eyechart.tables.conditions import TRUE
from eyechart.tables.parquet import read_table
from eyechart.tables.tuning import TUNING

Row = dict[str, Any]
GAIN = ("gain", "gain_low", "gain_high", "p", "q")


def read_tuning(paths: Sequence[Path]) -> list[Row]:
    """Return the rows on true data over all seeds; ``controls`` are those of other data, by name.

    Raise a UserError for an accuracy without n, or a gain without interval, p or q.
    """
    found: list[Row] = []
    for path in paths:
        table = pl.DataFrame(read_table(path, TUNING.names))
        check_pair(path, ((model, "") for model in table["model"].unique()))
        check(path, table)
        rows = table.filter(pl.col("seed").is_null()).to_dicts()
        others = [row for row in rows if row["data"] != TRUE]
        for row in rows:
            if row["data"] == TRUE:
                same = ("dataset", "task", "arm")
                own = [one for one in others if all(one[n] == row[n] for n in same)]
                seeds = table.filter(**{n: row[n] for n in (*same, "data")})["seed"].n_unique() - 1
                found.append(row | {"controls": {o["data"]: o for o in own}, "seeds": seeds})
    return found


def check(path: Path, table: pl.DataFrame) -> None:
    """Raise a UserError for the first row that a report must not show."""
    checker = Checker(path, table, lambda row: f"{row['arm']} on {row['data']} data")
    for name in ("before", "after", "n", "groups", "lift_low", "lift_high"):
        checker.refuse(absent(name), f"no {name}")
    for name in GAIN[1:]:
        checker.refuse(~absent("gain") & absent(name), f"a gain without {name}")
    checker.refuse((pl.col("data") == TRUE) & absent("gain"), "no gain")
    checker.refuse(below("q", "p"), "its q is below its p")
