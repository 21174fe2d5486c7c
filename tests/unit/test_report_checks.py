"""The report refuses a number without its control, interval, test, correction or audit."""

from pathlib import Path

import polars as pl
import pytest
from report_fixture import ITEM_TASKS, metrics_of, predictions_of

from eyechart.core.errors import UserError
from eyechart.report.sections.probing.check import check_metrics, check_predictions

PATH = Path("results/probing/tiny_llava/clevr/color.parquet")
COLORS = ITEM_TASKS["color"]
TASK = pl.col("kind") == "task"
AT = (pl.col("address") == "lm.2") & (pl.col("span") == "last") & (pl.col("seed") == 1)


@pytest.fixture(scope="module")
def predictions() -> pl.DataFrame:
    return predictions_of("tiny_llava", "color", COLORS, "item", (40, 2))


@pytest.fixture(scope="module")
def rows(predictions: pl.DataFrame) -> pl.DataFrame:
    head = {"model": "tiny_llava", "dataset": "clevr", "task": "color", "scope": "item"}
    return metrics_of(predictions, head, len(COLORS))


def emptied(rows: pl.DataFrame, field: str, where: pl.Expr, value: float | None = None):
    return rows.with_columns(
        pl.when(where)
        .then(pl.lit(value))
        .otherwise(pl.col(field))
        .cast(rows[field].dtype)
        .alias(field)
    )


def test_complete_tables_pass(rows, predictions):
    check_metrics(PATH, rows)
    check_predictions(PATH, rows, predictions)


def test_a_row_without_its_control_is_refused(rows):
    lacking = rows.filter(~(AT & (pl.col("kind") == "control_type")))
    with pytest.raises(
        UserError, match=r"color\.parquet: row \d+ \(lm\.2/last.*seed 1.*control_type"
    ):
        check_metrics(PATH, lacking)


@pytest.mark.parametrize("field", ["n_test", "ci_low", "ci_high", "chance"])
@pytest.mark.parametrize("kind", ["task", "control_type", "majority"])
def test_an_accuracy_without_n_interval_or_chance_is_refused(rows, field, kind):
    number = rows.with_row_index()["index"].filter(rows["kind"] == kind)[0]
    bare = emptied(rows, field, pl.col("kind") == kind)
    with pytest.raises(UserError, match=rf"row {number} .*accuracy without '{field}'"):
        check_metrics(PATH, bare)


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("p", "without a test against permuted labels"),
        ("null_accuracy", "no accuracy under permuted labels"),
        ("selectivity_low", "without its interval"),
        ("q", "without false-discovery correction"),
        ("selectivity", "no selectivity"),
        ("cv_accuracy", "no cv_accuracy"),
        ("accuracy", "no accuracy"),
    ],
)
def test_a_task_row_without_its_statistics_is_refused(rows, field, sentence):
    with pytest.raises(UserError, match=rf"row \d+ \(lm\.2/last.*{sentence}"):
        check_metrics(PATH, emptied(rows, field, TASK & AT))


def test_not_a_number_counts_as_missing(rows):
    with pytest.raises(UserError, match="without a test against"):
        check_metrics(PATH, emptied(rows, "p", TASK & AT, float("nan")))


def test_a_q_below_its_p_is_refused(rows):
    with pytest.raises(UserError, match="q is below p,"):
        check_metrics(PATH, emptied(emptied(rows, "p", TASK & AT, 0.5), "q", TASK & AT, 0.1))


def test_a_table_without_majority_or_task_is_refused(rows):
    with pytest.raises(UserError, match="one row of kind 'majority'"):
        check_metrics(PATH, rows.filter(pl.col("kind") != "majority"))
    with pytest.raises(UserError, match="no row of kind 'task'"):
        check_metrics(PATH, rows.filter(~TASK))


def test_metrics_that_the_predictions_do_not_reproduce_are_refused(rows, predictions):
    better = emptied(rows, "accuracy", TASK & AT, 0.999)
    with pytest.raises(UserError, match=r"row \d+ .*not that of its predictions"):
        check_predictions(PATH, better, predictions)
    with pytest.raises(UserError, match="no stored predictions"):
        check_predictions(PATH, rows, predictions.filter(~(TASK & AT)))
    with pytest.raises(UserError, match="n_test is not its number of predictions"):
        check_predictions(
            PATH, rows, predictions.filter(~(TASK & AT & (pl.col("id") == "item_00003")))
        )
