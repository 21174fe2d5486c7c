"""Metrics distinguish VLMs that look, read, always answer (a), or toss coins."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from fake_answers import (
    CONDITIONS,
    answers,
    coin,
    examine,
    item,
    looks,
    pairs,
    reads,
    says_a,
    score,
    values,
)
from scipy import stats

from eyechart.behavior import score_answers
from eyechart.tables.items import ITEMS
from eyechart.tables.response_arrays import lay_out
from eyechart.tables.responses import ANSWERS

SETTINGS = {"bootstrap": 200, "vqa": "official"}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Return three VLMs' tables on 12 pairs; every third question favours "on"."""
    root = tmp_path_factory.mktemp("vlms")
    items = pairs(12, tasks=2, leaning=3)
    vlms = {"says_a": says_a, "looks": looks, "reads": reads}
    return {name: examine(root / name, vlm, items) for name, vlm in vlms.items()}


EXPECTED = {
    "says_a": {
        "accuracy": 1 / 2,
        "pair_accuracy": 0,
        "tv_truth": 0,
        "tv_blank": 0,
        "order_consistency": 0,
        "place_bias": 1 / 2,
    },
    "looks": {
        "accuracy": 1,
        "pair_accuracy": 1,
        "tv_truth": 0,
        "tv_blank": 1 / 2,
        "order_consistency": 1,
        "place_bias": 0,
    },
    "reads": {
        "accuracy": 1 / 2,
        "pair_accuracy": 0,
        "tv_truth": 1 / 6,  # a third of its answers are "on", but half of the true answers are
        "tv_blank": 0,
        "order_consistency": 1,
        "place_bias": 0,
    },
}
CHANGED = {  # (blank, swapped)
    "says_a": (0, 0),
    "looks": (1 / 2, 1),
    "reads": (0, 0),
}
DIFFERENCE = {"says_a": (0, 0), "looks": (-1 / 2, -1), "reads": (0, 0)}


@pytest.mark.parametrize("name", EXPECTED)
def test_metrics_distinguish_vlms_by_their_strategy(tables, name):
    scores, _ = tables[name]
    found = values(scores)
    for metric, value in EXPECTED[name].items():
        assert found[metric] == pytest.approx(value, abs=1e-9), metric
    assert found["majority"] == pytest.approx(1 / 2, abs=1e-9)
    for condition, change, difference in zip(
        ("blank", "swapped"), CHANGED[name], DIFFERENCE[name], strict=True
    ):
        assert values(scores, condition)["changed"] == pytest.approx(change, abs=1e-9)
        found = values(scores, condition, column="difference")["accuracy"]
        assert found == pytest.approx(difference, abs=1e-9)


def test_every_metric_has_its_chance_level(tables):
    chance = values(tables["looks"][0], column="chance")
    expected = {
        "accuracy": 1 / 2,
        "accuracy_sum": 1 / 2,
        "changed_by_sum": None,
        "majority": 1 / 2,
        "pair_accuracy": 1 / 4,
        "tv_truth": 0,
        "tv_blank": 0,
        "order_consistency": 1 / 2,
        "place_bias": 0,
    }
    assert chance == pytest.approx(expected, abs=1e-9)
    assert values(tables["looks"][0], "blank", column="chance")["changed"] == 1 / 2


def test_looking_is_significant_and_reading_is_not(tables):
    p = {name: values(tables[name][0], "swapped", column="p")["accuracy"] for name in tables}
    assert p["looks"] == pytest.approx(2 * 0.5**12)  # twelve groups, with one vote each
    assert p["says_a"] == p["reads"] == 1
    q = tables["looks"][0].filter(pl.col("p").is_not_null())
    assert (q["q"] >= q["p"]).all() and q["q"].null_count() == 0
    assert q["metric"].unique().to_list() == ["accuracy"]


def test_with_one_order_a_letter_preference_shows_as_a_preferred_answer(tmp_path):
    scores, shares = examine(tmp_path, says_a, pairs(12), orders=1)
    found = values(scores)
    assert "order_consistency" not in found
    assert found["tv_truth"] == found["place_bias"] == pytest.approx(1 / 2, abs=1e-9)
    places = shares.filter(condition="sighted", task="all", kind="place")
    assert places.select("answer", "truth", "predicted").rows() == [("1", 0.5, 1.0), ("2", 0.5, 0)]


def test_with_four_options_in_all_orders_each_fake_model_has_its_numbers(tmp_path):
    colors = ["blue", "gray", "pink", "red"]
    items = [item(f"i{i:02d}", colors[i % 4], colors, prompt=f"say {colors[0]}") for i in range(20)]
    chance = {"accuracy": 1 / 4, "order_consistency": 4**-3, "tv_truth": 0}
    for vlm, expected in (
        (says_a, {"accuracy": 1 / 4, "place_bias": 3 / 4, "tv_truth": 0, "order_consistency": 0}),
        (looks, {"accuracy": 1, "place_bias": 0, "tv_truth": 0, "order_consistency": 1}),
        (reads, {"accuracy": 1 / 4, "place_bias": 0, "tv_truth": 3 / 4, "order_consistency": 1}),
    ):
        scores, _ = examine(tmp_path / vlm.__name__, vlm, items, conditions=("sighted", "blank"))
        found = values(scores)
        assert {m: found[m] for m in expected} == pytest.approx(expected, abs=1e-9)
        assert "pair_accuracy" not in found
        levels = values(scores, column="chance")
        assert {m: levels[m] for m in chance} == pytest.approx(chance, abs=1e-9)
        assert values(scores, "blank", column="chance")["changed"] == pytest.approx(3 / 4)


def test_each_task_has_its_own_test(tmp_path):
    items = pairs(12, tasks=2)
    sighted, blank = (answers(items, looks, c, 1) for c in ("sighted", "blank"))
    blank = [
        b if row["task"] == "task_0" else b | {"predicted": s["predicted"]}
        for row, s, b in zip(items, sighted, blank, strict=True)
    ]
    scores, _ = score(tmp_path, items, {"sighted": sighted, "blank": blank})
    for column, expected in (("difference", [-1 / 2, 0, -1 / 4]), ("p", [2 / 2**6, 1, 2 / 2**6])):
        tasks = ("task_0", "task_1", "all")
        found = [values(scores, "blank", task, column)["accuracy"] for task in tasks]
        assert found == pytest.approx(expected, abs=1e-9)


def test_distributions_add_up_and_are_those_of_each_task(tables):
    _, shares = tables["reads"]
    rows = shares.filter(condition="sighted", task="all", kind="choice")
    assert rows["answer"].to_list() == ["off", "on"]
    assert rows["truth"].to_list() == [0.5, 0.5]
    assert rows["predicted"].to_list() == pytest.approx([2 / 3, 1 / 3])
    keys = ["condition", "task", "kind"]
    sums = shares.group_by(keys).agg(pl.col("truth", "predicted").sum())
    assert sums["truth"].to_list() == pytest.approx([1] * len(sums))
    assert sums["predicted"].to_list() == pytest.approx([1] * len(sums))
    assert set(shares["n"]) == {24, 12}


def test_a_planted_difference_is_found_and_covered(tmp_path):
    items = pairs(150)
    scores, _ = examine(tmp_path, coin(0.6, seed=1), items, orders=1, conditions=CONDITIONS[:2])
    row = scores.filter(condition="sighted", task="all", metric="accuracy")
    assert row["ci_low"][0] <= 0.8 <= row["ci_high"][0]
    assert row["ci_low"][0] > 0.5
    blank = scores.filter(condition="blank", task="all", metric="accuracy")
    assert blank["ci_low"][0] <= 0.5 <= blank["ci_high"][0]
    assert blank["q"][0] < 1e-6


def score_in_memory(items, vlm, conditions, seed):
    table = pl.DataFrame(pa.Table.from_pylist(items, ITEMS))
    said = {
        c: pl.DataFrame(pa.Table.from_pylist(answers(items, vlm, c, orders=1), ANSWERS))
        for c in conditions
    }
    names = {"model": "fake", "dataset": "lamps"}
    scores, _ = score_answers.score(
        table, *lay_out(table, said, dict.fromkeys(said, Path())), names, SETTINGS, seed
    )
    return pl.DataFrame(scores)


@pytest.mark.slow
def test_without_a_difference_tests_and_intervals_show_none():
    items = pairs(40)
    p, covered = [], dict.fromkeys(("accuracy", "tv_truth", "tv_blank", "place_bias"), 0)
    for seed in range(40):
        scores = score_in_memory(items, coin(0, seed), CONDITIONS[:2], seed)
        p.append(values(scores, "blank", column="p")["accuracy"])
        low, high = values(scores, column="ci_low"), values(scores, column="ci_high")
        for metric in covered:
            covered[metric] += low[metric] <= (metric == "accuracy") / 2 <= high[metric]
    assert (np.array(p) <= 0.05).sum() <= stats.binom.ppf(0.999, 40, 0.05)
    assert np.mean(p) > 0.4, "p under the null must not accumulate at 0"
    for metric, times in covered.items():
        assert times >= stats.binom.ppf(0.001, 40, 0.93), metric


def test_scores_do_not_depend_on_row_order_or_other_conditions(tmp_path):
    items = pairs(10, tasks=2)
    said = {c: answers(items, coin(0.5, 3), c) for c in CONDITIONS}
    one, _ = score(tmp_path / "one", items, said)
    rng = np.random.default_rng(0)
    mixed = {c: [rows[i] for i in rng.permutation(len(rows))] for c, rows in said.items()}
    two, _ = score(tmp_path / "two", [items[i] for i in rng.permutation(20)], mixed)
    assert one.equals(two)
    less, _ = score(tmp_path / "less", items, {c: said[c] for c in CONDITIONS[:2]})
    assert less.drop("q").equals(one.filter(pl.col("condition") != "swapped").drop("q"))


def test_bytes_are_equal_in_every_run_and_change_with_the_seed(tmp_path):
    items = pairs(10)
    said = {"sighted": answers(items, coin(0.5, 3), "sighted")}
    for folder, seed in (("one", 0), ("two", 0), ("three", 1)):
        score(tmp_path / folder, items, said, seed=seed)
    one, two, three = (
        (tmp_path / f / "scores.parquet").read_bytes() for f in ("one", "two", "three")
    )
    assert one == two != three
