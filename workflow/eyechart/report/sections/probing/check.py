"""Checks of probes: a number without control, interval, test or predictions is rejected."""

from pathlib import Path
from typing import Any

import polars as pl

from eyechart.core.errors import UserError
from eyechart.report.checking import TOLERANCE, Checker, absent, below

KEY = ("address", "span", "probe", "seed")
CONTROL = "control_type"


def check_metrics(path: Path, rows: pl.DataFrame) -> None:
    """Reject a probe table with a number that lacks its context.

    Raise a UserError that names file and row if an accuracy has no n, interval or chance level, if
    a task row has no control, selectivity with interval, test or q, or if there is no majority row.

    Parameters
    ----------
    path : the table's file, named in the error
    rows : rows of the schema ``eyechart.tables.probes.PROBES``
    """
    checker = Checker(path, rows.filter(pl.col("reason").is_null()), _name)
    rows = checker.rows
    task = rows.filter(pl.col("kind") == "task")
    if task.is_empty():
        raise UserError(f"{path}: no row of kind 'task', expected one per address, span and probe")
    measured = rows.filter(pl.col("accuracy").is_not_null())
    for field in ("n_test", "ci_low", "ci_high", "chance"):
        checker.refuse(absent(field), f"an accuracy without {field!r}", measured)
    checker.refuse(absent("accuracy"), "no accuracy")
    there = rows.filter(pl.col("kind") == CONTROL).select(KEY)
    alone = task.join(there, on=KEY, how="anti", maintain_order="left")
    checker.refuse(pl.lit(True), f"its control is missing, a row of kind {CONTROL!r}", alone)
    for field, sentence in (
        ("selectivity", "no selectivity, but a probe needs its control"),
        ("selectivity_low", "a selectivity without its interval"),
        ("selectivity_high", "a selectivity without its interval"),
        ("null_accuracy", "no accuracy under permuted labels ('null_accuracy')"),
        ("p", "an accuracy without a test against permuted labels ('p')"),
        ("q", "one of many tests without false-discovery correction ('q')"),
        ("cv_accuracy", "no cv_accuracy, which is needed to choose the best address"),
    ):
        checker.refuse(absent(field), sentence, task)
    checker.refuse(below("q", "p"), "q is below p, which no correction can produce", task)
    if (rows["kind"] == "majority").sum() != 1:
        raise UserError(f"{path}: expected one row of kind 'majority' in addition to the probes")


def check_predictions(path: Path, rows: pl.DataFrame, predictions: pl.DataFrame) -> None:
    """Reject metrics that their stored predictions do not reproduce.

    Raise a UserError that names file and row if a row has no predictions, or if their number or
    accuracy differs from the stored ``n_test`` or ``accuracy``.
    """
    key = [*KEY, "kind"]
    again = predictions.group_by(key).agg(
        pl.len().alias("n"), (pl.col("truth") == pl.col("prediction")).mean().alias("again")
    )
    indexed = rows.filter(pl.col("reason").is_null()).with_row_index("row")
    both = indexed.join(again, on=key, how="left", maintain_order="left", nulls_equal=True)
    checker = Checker(path, both, _name)
    checker.refuse(pl.col("n").is_null(), "it has no stored predictions")
    checker.refuse(pl.col("n") != pl.col("n_test"), "n_test is not its number of predictions")
    off = (pl.col("again") - pl.col("accuracy")).abs() > TOLERANCE
    checker.refuse(off, "its accuracy is not that of its predictions")


def _name(row: dict[str, Any]) -> str:
    where = f"{row['address']}/{row['span']}, {row['probe']}, seed {row['seed']}, "
    return f"{where if row['address'] else ''}{row['kind']}"
