"""What the report refuses of readouts: a number without control, interval, chance or test."""

from pathlib import Path

import polars as pl

from eyechart.report.checking import Checker, absent, below
from eyechart.tables.readouts import SHUFFLED

KEY = ["task", "seen", "address", "readout"]


def check_readouts(path: Path, rows: pl.DataFrame) -> None:
    """Refuse a table of readouts in which a number stands alone.

    Raise a UserError naming file and row, if a row is there twice; a value has no n, groups, chance
    or interval; a readout has no control; or one is compared with responses without a paired test.
    """
    checker = Checker(path, rows, lambda row: ", ".join(row[name] for name in KEY))
    rows = checker.rows
    checker.refuse(pl.struct(KEY).is_duplicated(), "the same readout is there twice")
    for field in ("value", "n", "groups", "chance", "ci_low", "ci_high"):
        checker.refuse(absent(field), f"a readout without {field!r}")
    control = pl.col("readout").str.ends_with(SHUFFLED)
    own = rows.filter(~control)
    named = rows.filter(control).with_columns(pl.col("readout").str.strip_suffix(SHUFFLED))
    alone = own.join(named.select(KEY), on=KEY, how="anti", maintain_order="left")
    checker.refuse(pl.lit(True), "its control is missing, the row of shuffled tokens", alone)
    compared = own.filter(pl.col("answer").is_not_null())
    for field in ("difference", "p", "q"):
        sentence = f"compared without its paired test ({field!r})"
        checker.refuse(absent(field), sentence, compared)
    checker.refuse(below("q", "p"), "q is below p, which no correction gives", compared)
