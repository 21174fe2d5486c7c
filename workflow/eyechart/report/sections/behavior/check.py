"""Checks of scores: a number without chance, interval, test or stored answers is rejected."""

from pathlib import Path
from typing import Any

import polars as pl

from eyechart.core.errors import UserError, nearest
from eyechart.report.checking import TOLERANCE, Checker, absent, below
from eyechart.tables.choice_scoring import OF_TEXT
from eyechart.tables.conditions import CONDITIONS
from eyechart.tables.scores import ALL

RESCORED = tuple(f"accuracy_{scoring}" for scoring in OF_TEXT)
GUESSED = ("accuracy", *RESCORED, "pair_accuracy")  # metrics with a meaningful chance level
KEY = ["condition", "task", "metric"]


def check_scores(path: Path, rows: pl.DataFrame) -> None:
    """Reject a score table with a number that lacks its context.

    Raise a UserError that names file and row if a condition is unknown or a row is duplicated, if a
    score has no value, n or groups, if an accuracy has no interval or chance, if conditions are
    compared without a paired test, or if an accuracy is not compared with sighted.

    Parameters
    ----------
    path : the table's file, named in the error
    rows : rows of the schema ``eyechart.tables.scores.SCORES``
    """
    checker = Checker(path, rows, _name)
    rows = checker.rows
    for name in rows.filter(~pl.col("condition").is_in(CONDITIONS))["condition"].unique():
        raise UserError(f"{path}: condition {name!r} is unknown; {nearest(name, CONDITIONS)}")
    checker.refuse(pl.struct(KEY).is_duplicated(), "the score is duplicated")
    for field in ("value", "n", "groups"):
        checker.refuse(absent(field), f"a score without {field!r}")
    guessed = rows.filter(pl.col("metric").is_in(GUESSED))
    shares = rows.filter(pl.col("metric").str.contains("accuracy|recall"))
    for field in ("ci_low", "ci_high"):
        checker.refuse(absent(field), f"an accuracy without {field!r}", shares)
    checker.refuse(absent("chance"), "an accuracy without 'chance'", guessed)
    compared = guessed.filter(pl.col("against").is_not_null())
    for field in ("difference", "p", "q"):
        sentence = f"a comparison without its paired test ({field!r})"
        checker.refuse(absent(field), sentence, compared)
    checker.refuse(below("q", "p"), "q is below p, which no correction can produce")
    _check_compared(checker, rows.filter(pl.col("metric") == "accuracy"))


def check_distributions(path: Path, rows: pl.DataFrame) -> None:
    """Reject shares without n, or that do not sum to one; truth may be entirely unknown.

    Raise a UserError that names file, condition and task.
    """
    checker = Checker(path, rows, _name)
    for field in ("predicted", "n"):
        checker.refuse(absent(field), f"a share without {field!r}")
    sums = rows.group_by("condition", "task", "kind", maintain_order=True).agg(
        pl.col("truth", "predicted").sum(), unknown=pl.col("truth").is_null().all()
    )
    for row in sums.iter_rows(named=True):
        for side in ("predicted",) if row["unknown"] else ("truth", "predicted"):
            if abs(row[side] - 1) > TOLERANCE:
                raise UserError(
                    f"{path}: {row['condition']}, {row['task']}: the shares {side!r} of kind "
                    f"{row['kind']!r} sum to {row[side]:.4f}, expected 1"
                )


def check_answers(
    name: str, scores: pl.DataFrame, answers: pl.DataFrame, items: pl.DataFrame
) -> None:
    """Reject accuracies that the stored answers do not reproduce.

    An item's accuracy is its mean over the orders of its options; a task's accuracy is the mean
    over the items with a known answer. Raise a UserError that names ``name`` (model and dataset),
    condition and task, or an answered item that is not in the dataset.
    """
    alien = answers.join(items, on="item_id", how="anti")
    if len(alien):
        raise UserError(
            f"{name}: item {alien['item_id'][0]!r} was answered, but is not in the dataset"
        )
    known = items.filter(pl.col("answer").is_in(pl.col("choices")))
    truth = known.select("item_id", "task", "answer")
    right = answers.drop_nulls("predicted").join(truth, on="item_id")
    right = right.with_columns(right=pl.col("predicted") == pl.col("answer"))
    means = right.group_by("condition", "task", "item_id").agg(pl.col("right").mean())
    every = pl.concat([means, means.with_columns(task=pl.lit(ALL))])
    again = every.group_by("condition", "task").agg(pl.col("right").mean(), again_n=pl.len())
    stored = scores.with_row_index("row").filter(pl.col("metric") == "accuracy")
    both = stored.join(again, on=["condition", "task"], how="left", maintain_order="left")
    checker = Checker(name, both, _name)
    checker.refuse(pl.col("right").is_null(), "it has no stored answers")
    checker.refuse(pl.col("again_n") != pl.col("n"), "n is not its number of answered items")
    off = (pl.col("right") - pl.col("value")).abs() > TOLERANCE
    checker.refuse(off, "its accuracy is not that of its answers")


def _check_compared(checker: Checker, accuracy: pl.DataFrame) -> None:
    sighted = accuracy.filter(pl.col("condition") == "sighted").select("task", first="value")
    both = accuracy.filter(pl.col("condition") != "sighted").join(sighted, on="task")
    alone = pl.col("against").ne_missing("sighted")
    checker.refuse(alone, "an accuracy next to sighted without a paired test against it", both)
    off = (pl.col("difference").abs() - (pl.col("value") - pl.col("first")).abs()).abs() > TOLERANCE
    checker.refuse(off, "its difference is not that of its accuracies", both)


def _name(row: dict[str, Any]) -> str:
    return ", ".join([row["condition"], row["task"], row.get("metric") or row["kind"]])
