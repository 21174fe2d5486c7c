"""What the report refuses of verdicts: estimates without interval, n and test."""

from pathlib import Path

import polars as pl

from eyechart.errors import UserError, nearest
from eyechart.report.checking import TOLERANCE
from eyechart.tables.verdict import BANDS, CLASSES, COMPARISONS, STAGES, UNDECIDED, VERDICT

KEY = ["dataset", "skill"]


def check_verdicts(path: Path, rows: pl.DataFrame) -> None:
    """Refuse a table of verdicts in which a number or a class stands alone.

    Parameters
    ----------
    path : Path
        The table's file, named in the error.
    rows : DataFrame
        Rows of the schema ``eyechart.tables.verdict.VERDICT``.

    Raises
    ------
    UserError
        Naming file and skill, if a column is missing; a class or band is unknown; a skill is there
        twice, or has no n, groups, chance, reason or value; a value has no interval around it, no n
        or no floor; a difference has no interval, p or q, or q is below p; or a class was decided
        without any difference or value to rest on.
    """
    for name in VERDICT.names:
        if name not in rows.columns:
            raise UserError(f"{path}: column {name!r} is missing")
    if len(rows["model"].unique()) > 1:
        raise UserError(f"{path}: rows of {len(rows['model'].unique())} models, expected one")
    for column, known in (("verdict", CLASSES), ("band", BANDS)):
        for name in rows.filter(~pl.col(column).is_in(known))[column].unique():
            raise UserError(f"{path}: {column} is {name!r}; {nearest(str(name), known)}")
    _refuse(path, rows, pl.struct(KEY).is_duplicated(), "is there twice")
    for name in ("n", "groups", "chance", "why", "rule"):
        _refuse(path, rows, pl.col(name).is_null(), f"has no {name!r}")
    for stage in STAGES:
        there = pl.col(f"{stage}_value").is_not_null()
        for name in ("ci_low", "ci_high", "n", "floor", "evidence"):
            alone = there & pl.col(f"{stage}_{name}").is_null()
            _refuse(path, rows, alone, f"has a value of {stage!r} without {name!r}")
        value = pl.col(f"{stage}_value")
        outside = (value < pl.col(f"{stage}_ci_low") - TOLERANCE) | (
            value > pl.col(f"{stage}_ci_high") + TOLERANCE
        )
        _refuse(path, rows, outside, f"has a value of {stage!r} outside its interval")
    for two in COMPARISONS:
        there = pl.col(f"{two}_difference").is_not_null()
        for name in ("ci_low", "ci_high", "p", "q"):
            alone = there & pl.col(f"{two}_{name}").is_null()
            _refuse(path, rows, alone, f"has a difference {two!r} without {name!r}")
        below = pl.col(f"{two}_q") < pl.col(f"{two}_p") - TOLERANCE
        _refuse(path, rows, below, f"has a q of {two!r} below its p, which no correction gives")
    nothing = pl.all_horizontal(pl.col(f"{stage}_value").is_null() for stage in STAGES)
    decided = pl.col("verdict") != UNDECIDED
    _refuse(path, rows, nothing, "has no value at any stage")
    _refuse(path, rows, decided & (pl.col("rule") == "none"), "has a class without a rule")


def _refuse(path: Path, rows: pl.DataFrame, wrong: pl.Expr, mistake: str) -> None:
    found = rows.filter(wrong.fill_null(False))
    if len(found):
        dataset, skill = found.select(KEY).row(0)
        raise UserError(f"{path}: skill {skill!r} of {dataset} {mistake}")
