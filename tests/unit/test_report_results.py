"""Merged seeds have the least favourable values, and the best address ignores the test set."""

import doctest

import polars as pl
import pytest
from report_fixture import IMAGE_TASKS, metrics_of, predictions_of

from eyechart.core import address
from eyechart.core.address import abbreviate, sort_key
from eyechart.report import chart_style, files, format, labels
from eyechart.report.labels import Criteria
from eyechart.report.sections.probing.findings import summarise
from eyechart.report.sections.probing.load import (
    TaskResult,
    best_of,
    compare_components,
    confusion,
    correct,
    merge_seeds,
    select,
)
from eyechart.report.sections.provenance import page as provenance
from eyechart.statistics.testing import mcnemar_exact

CRITERIA = Criteria(alpha=0.01, selectivity=0.1)
HEAD = {"model": "tiny_llava", "dataset": "clevr", "task": "objects", "scope": "image"}


@pytest.fixture(scope="module")
def predictions() -> pl.DataFrame:
    return predictions_of("tiny_llava", "objects", IMAGE_TASKS["objects"], "image", (60, 3))


@pytest.fixture(scope="module")
def rows(predictions: pl.DataFrame) -> pl.DataFrame:
    return metrics_of(predictions, HEAD, 3)


@pytest.fixture(scope="module")
def result(rows: pl.DataFrame, predictions: pl.DataFrame) -> TaskResult:
    points = merge_seeds(rows)
    components = {
        c: best_of(part) for (c,), part in points.group_by("component", maintain_order=True)
    }
    shown = predictions.filter(pl.col("kind") == "task")
    found = TaskResult(
        **HEAD,
        points=points,
        best=best_of(points),
        components=components,
        confusion=confusion(shown, best_of(points)),
        comparisons=tuple(compare_components(shown, components)),
    )
    return correct([found])[0]


def test_addresses_are_ordered_from_encoder_to_answer():
    shuffled = ["lm.norm", "lm.10", "connector", "vision.11", "lm.2", "extra.module", "vision.2"]
    walked = ["vision.2", "vision.11", "connector", "lm.2", "lm.10", "lm.norm", "extra.module"]
    assert sorted(shuffled, key=sort_key) == walked
    assert (
        abbreviate(["vision.1", "vision.0", "vision.3", "lm.norm"])
        == "vision.0–1, vision.3, lm.norm"
    )


def test_merging_keeps_the_least_favourable_seed(rows):
    points = merge_seeds(rows)
    assert len(points) == 28
    for point in points.iter_rows(named=True):
        mine = rows.filter(
            *(pl.col(k) == point[k] for k in ("address", "span", "probe")), pl.col("kind") == "task"
        )
        assert point["seeds"] == len(mine) == 3
        assert point["accuracy"] == pytest.approx(mine["accuracy"].mean())
        assert (point["low"], point["high"]) == (mine["ci_low"].min(), mine["ci_high"].max())
        assert (point["p"], point["q"]) == (mine["p"].max(), mine["q"].max())


def test_the_best_address_is_chosen_without_the_test_set(rows):
    points = merge_seeds(rows)
    lured = points.with_columns(accuracy=pl.lit(1.0) - pl.col("accuracy"))
    chosen = [best_of(p)["address"] + best_of(p)["span"] for p in (points, lured)]
    assert chosen[0] == chosen[1]
    assert best_of(points)["cv_accuracy"] == points["cv_accuracy"].max()


def test_a_control_is_never_the_best_address(rows):
    points = merge_seeds(rows)
    best = best_of(points)
    same = pl.all_horizontal(pl.col(k) == best[k] for k in ("address", "span"))
    other = pl.when(same).then(pl.lit("other_object")).otherwise("span").alias("span")
    assert best_of(points.with_columns(other))["span"] not in ("other_object", "")
    alone = points.with_columns(span=pl.lit("other_object"))
    assert best_of(alone)["cv_accuracy"] == best["cv_accuracy"]


def test_the_confusion_matrix_holds_every_prediction_once(result, predictions):
    shown = select(predictions.filter(pl.col("kind") == "task"), result.best)
    assert result.confusion["count"].sum() == len(shown)
    right = result.confusion.filter(pl.col("truth") == pl.col("prediction"))["count"].sum()
    assert right / len(shown) == pytest.approx(result.best["accuracy"])
    assert result.confusion.group_by("truth").agg(pl.col("share").sum())["share"].to_list() == (
        pytest.approx([1.0] * 3)
    )


def test_components_are_compared_in_pairs_on_the_same_images(result, predictions):
    pairs = [(c["first"]["component"], c["second"]["component"]) for c in result.comparisons]
    assert pairs == [("vision", "connector"), ("vision", "lm"), ("connector", "lm")]
    shown = predictions.filter(pl.col("kind") == "task")
    for c in result.comparisons:
        p = []
        for seed in range(3):
            one, two = (
                (s["truth"] == s["prediction"]).to_numpy()
                for point in (c["first"], c["second"])
                for s in [select(shown, point).filter(pl.col("seed") == seed).sort("id")]
            )
            p.append(mcnemar_exact(one, two, shown["id"].unique().sort().to_numpy()))
        assert c["p"] == max(p)
        assert c["p"] <= c["q"] <= 1
        assert c["n"] == 60


def test_row_order_of_the_predictions_changes_no_comparison(result, predictions):
    shown = predictions.filter(pl.col("kind") == "task").reverse()
    again = compare_components(shown, result.components)
    assert [c["p"] for c in again] == [c["p"] for c in result.comparisons]


@pytest.mark.parametrize("field", ["q", "selectivity", "low"])
def test_nothing_is_called_decoded_when_one_condition_fails(result, field):
    point = {**result.best, "q": 0.001, "selectivity": 0.3, "low": 0.7, "majority": 0.4}
    assert CRITERIA.passed(point)
    assert not CRITERIA.passed({**point, field: {"q": 0.01, "selectivity": 0.1, "low": 0.4}[field]})


def test_sentences_claim_no_more_than_the_numbers(result):
    weak = {**result.best, "q": 0.5}
    unsure = tuple({**c, "q": 0.5} for c in result.comparisons)
    changed = TaskResult(**{**vars(result), "best": weak, "comparisons": unsure})
    text = " ".join(summarise([changed], CRITERIA)[0]["sentences"])
    sentence = "0 of 1 tasks about the image alone can be decoded at the address selected by "
    assert f"{sentence}cross-validation. Not shown: objects." in text
    assert "falls" not in text
    assert "rises" not in text
    assert text.count("no significant difference on objects") == 3


@pytest.mark.parametrize("module", [address, files, format, provenance, chart_style, labels])
def test_examples_in_docstrings_hold(module):
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0
