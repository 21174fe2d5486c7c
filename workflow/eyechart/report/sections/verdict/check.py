"""Checks of verdicts: estimates without interval, n and test are rejected."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from eyechart.core.errors import UserError, nearest
from eyechart.report.checking import TOLERANCE
from eyechart.tables import verdict_rules
from eyechart.tables.verdict import (
    BANDS,
    CLASSES,
    COMPARISONS,
    OBSERVED,
    SKILL,
    STAGES,
    SUPPORT,
    UNDECIDED,
    Verdict,
    parts,
)

CAUSES = {cause.name for cause in verdict_rules.CAUSES}


def check_verdicts(path: Path, verdict: Verdict) -> None:
    """Reject a verdict with a number or class that lacks its context.

    Raise a UserError that names file and skill if a class, band, stage or comparison is unknown; if
    a skill is duplicated, or has no n, groups, chance, reason or value; if a value has no interval
    around it, no n or no floor; if a difference has no interval, p or q, or a q below p; or if a
    class was decided without any difference or value.

    ``path``: the file with its values; the error names the faulty one of the three files.
    """
    values, skills, differences = parts(path)
    _check_skills(skills, verdict.skills)
    _check_values(values, verdict.values)
    _check_differences(differences, verdict.differences)
    bare = verdict.skills.join(verdict.values, on=SKILL, how="anti")
    _refuse(skills, bare, pl.lit(True), "has no value at any stage")
    for at, rows in ((values, verdict.values), (differences, verdict.differences)):
        lone = rows.join(verdict.skills, on=SKILL, how="anti")
        _refuse(at, lone, pl.lit(True), "has numbers and no class")


def _check_skills(path: Path, rows: pl.DataFrame) -> None:
    if len(rows["model"].unique()) > 1:
        raise UserError(f"{path}: rows of {len(rows['model'].unique())} models, expected one")
    _known(path, rows, "verdict", CLASSES)
    _known(path, rows, "band", BANDS)
    _known(path, rows, "evidence", SUPPORT)
    _known(path, rows.filter(pl.col("cause").is_not_null()), "cause", CAUSES)
    lone = (pl.col("evidence") != OBSERVED) & pl.col("causal").is_null()
    _refuse(path, rows, lone, "has causal evidence without its numbers")
    _refuse(path, rows, pl.struct(SKILL).is_duplicated(), "is there twice")
    for name in ("n", "groups", "chance", "why", "rule", "evidence"):
        _refuse(path, rows, pl.col(name).is_null(), f"has no {name!r}")
    decided = pl.col("verdict") != UNDECIDED
    _refuse(path, rows, decided & (pl.col("rule") == "none"), "has a class without a rule")
    for name in ("loss_first", "loss_second"):
        _known(path, rows.filter(pl.col(name).is_not_null()), name, STAGES)
        _refuse(path, rows, (pl.col("loss") > 0) & pl.col(name).is_null(), f"has a loss, no {name}")
    _refuse(path, rows, decided & pl.col("needed").is_not_null(), "is decided and needs items")


def _check_values(path: Path, rows: pl.DataFrame) -> None:
    _known(path, rows, "stage", STAGES)
    _refuse(path, rows, pl.struct(*SKILL, "stage").is_duplicated(), "has {stage!r} twice")
    for name in ("value", "ci_low", "ci_high", "n", "groups", "floor", "evidence"):
        _refuse(path, rows, pl.col(name).is_null(), f"has a value of {{stage!r}} without {name!r}")
    value, low, high = pl.col("value"), pl.col("ci_low"), pl.col("ci_high")
    outside = (value < low - TOLERANCE) | (value > high + TOLERANCE)
    _refuse(path, rows, outside, "has a value of {stage!r} outside its interval")


def _check_differences(path: Path, rows: pl.DataFrame) -> None:
    _known(path, rows, "comparison", COMPARISONS)
    for name in ("difference", "ci_low", "ci_high", "p", "q"):
        alone = f"has a difference {{comparison!r}} without {name!r}"
        _refuse(path, rows, pl.col(name).is_null(), alone)
    below = "has a q of {comparison!r} below its p, which no correction can produce"
    _refuse(path, rows, pl.col("q") < pl.col("p") - TOLERANCE, below)


def _known(path: Path, rows: pl.DataFrame, column: str, known: Iterable[str]) -> None:
    for name in rows.filter(~pl.col(column).is_in(list(known)))[column].unique():
        raise UserError(f"{path}: {column} is {name!r}; {nearest(str(name), known)}")


def _refuse(path: Path, rows: pl.DataFrame, wrong: pl.Expr, mistake: str) -> None:
    found = rows.filter(wrong.fill_null(False))
    if len(found):
        row = found.row(0, named=True)
        mistake = mistake.format(**row)
        raise UserError(f"{path}: skill {row['skill']!r} of {row['dataset']} {mistake}")
