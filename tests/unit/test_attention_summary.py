"""Means, intervals and controls of hand-made tables of attention and the logit lens."""

import json

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from eyechart.attention import summarise
from eyechart.core.errors import UserError
from eyechart.statistics.bootstrap import GroupBootstrap
from eyechart.statistics.testing import sign_test
from eyechart.tables.attention import ATTENTION, LENS, SUMMARY
from eyechart.tables.notes import read_noted, write_noted

HEADS, BLOCKS, AREA, MASS = 2, 3, 0.1, 0.5


def attention_rows(items, ratio, control, draw):
    """Return rows in which block 1 attends to the right region ``ratio`` times the average."""
    rows = []
    for n in range(items):
        for block in range(BLOCKS):
            for head in range(HEADS):
                own = {"item_id": f"i{n:03}", "group": f"g{n // 2}", "task": f"t{n % 2}"}
                own |= {"model": "m", "dataset": "d", "address": f"lm.{block}", "head": head}
                own |= {"image_mass": MASS, "control": False}
                rows.append(
                    own | {"region": "", "role": "image", "mass": MASS, "area": 0.5, "ratio": 1.0}
                )
                for moved in (False, True):
                    there = (control if moved else ratio) if block == 1 else 1.0
                    value = max(0.0, there + draw.normal(0, 0.1))
                    # one of two wrong choices gets twice as much attention
                    parts = [("A", "right", value), ("B", "wrong", 2.0), ("C", "wrong", 1.0)]
                    for name, role, times in parts:
                        row = {"region": name, "role": role, "control": moved, "area": AREA}
                        row |= {"mass": times * AREA * MASS, "ratio": times}
                        rows.append(own | row)
    return rows


def lens_rows(items, first):
    """Return rows of items whose answer is fixed from block ``first`` on."""
    rows = []
    for n in range(items):
        for block in range(BLOCKS):
            p = 0.9 if block >= first else 0.4
            row = {"item_id": f"i{n:03}", "group": f"g{n // 2}", "task": f"t{n % 2}"}
            row |= {"model": "m", "dataset": "d", "address": f"lm.{block}", "place": "answer"}
            logs = [float(np.log(p)), float(np.log(1 - p))]
            row |= {"role": "answer", "log_probability": logs, "p_right": p}
            rows.append(row | {"first_layer": first})
    return rows


@pytest.fixture
def run(tmp_path):
    def summary(attention, lens, notes=None):
        paths = {name: tmp_path / f"{name}.parquet" for name in ("attention", "lens", "summary")}
        write_noted(paths["attention"], pa.Table.from_pylist(attention, ATTENTION), notes or {})
        write_noted(paths["lens"], pa.Table.from_pylist(lens, LENS), {})
        given = {"attention": paths["attention"], "lens": paths["lens"], "seed": 7}
        given |= {"settings": json.dumps({"draws": 400}), "output": paths["summary"]}
        given |= {"model": "m", "dataset": "d"}
        summarise.main([text for n, v in given.items() for text in (f"--{n}", str(v))])
        table, found = read_noted(paths["summary"], SUMMARY)
        return pl.DataFrame(table), found

    return summary


def one(table, metric, role, address, task="all", head=None):
    kept = table.filter(
        (pl.col("metric") == metric)
        & (pl.col("role") == role)
        & (pl.col("address") == address)
        & (pl.col("task") == task)
        & pl.col("head").eq_missing(head)
    )
    assert len(kept) == 1
    return kept.to_dicts()[0]


def test_planted_attention_is_found_where_it_was_planted(run):
    draw = np.random.default_rng(0)
    table, _ = run(attention_rows(40, 3.0, 1.0, draw), lens_rows(40, 1))
    for head in (None, 0, 1):
        found = one(table, "ratio", "right", "lm.1", head=head)
        assert found["value"] == pytest.approx(3, abs=0.1)
        assert found["ci_low"] < found["value"] < found["ci_high"]
        assert found["control"] == pytest.approx(1, abs=0.1)
        assert found["difference_low"] > 1
        assert found["q"] < 0.001
        assert (found["chance"], found["n"], found["groups"]) == (1, 40, 20)
    other = one(table, "ratio", "right", "lm.0")
    assert other["value"] == pytest.approx(1, abs=0.1)
    assert other["q"] > 0.01
    assert one(table, "ratio", "right", "lm.1", "t0")["n"] == 20


def test_several_wrong_choices_of_an_item_are_one_region(run):
    table, _ = run(attention_rows(8, 1, 1, np.random.default_rng(0)), lens_rows(8, 0))
    assert one(table, "ratio", "wrong", "lm.2")["value"] == pytest.approx(1.5, abs=1e-5)


def test_image_mass_is_reported_with_the_share_of_image_tokens(run):
    table, _ = run(attention_rows(8, 1, 1, np.random.default_rng(0)), lens_rows(8, 0))
    found = one(table, "image_mass", "image", "lm.0")
    assert (found["value"], found["chance"]) == pytest.approx((0.5, 0.5))
    assert found["p"] == 1


def test_items_are_settled_from_their_first_layer_on(run):
    table, _ = run([], lens_rows(6, 1))
    settled = [one(table, "lens_settled", "answer", f"lm.{n}")["value"] for n in range(3)]
    right = [one(table, "lens_p_right", "answer", f"lm.{n}") for n in range(3)]
    assert settled == [0, 1, 1]
    assert [row["value"] for row in right] == pytest.approx([0.4, 0.9, 0.9])
    assert {row["chance"] for row in right} == {0.5}
    assert {row["p"] for row in right} == {None}


def test_reasons_are_passed_on_if_there_are_no_rows(run):
    table, notes = run([], [], {"reason": "no block gives weights"})
    assert table.is_empty()
    assert notes == {"attention_reason": "no block gives weights"}


def test_a_table_of_another_model_is_an_error(run):
    rows = [row | {"model": "other"} for row in lens_rows(2, 0)]
    with pytest.raises(UserError, match="a row is about other on d, expected m on d"):
        run([], rows)


def test_intervals_cover_a_mean_as_often_as_they_should():
    draw = np.random.default_rng(1)
    groups = np.repeat(np.arange(25), 2).astype(str)
    hits = 0
    for n in range(200):
        values = np.repeat(draw.normal(0, 1, 25), 2)[:, None]  # items of a group are equal
        found = GroupBootstrap(groups, 200, np.random.default_rng(n)).means(values)
        hits += bool(found.low[0] <= 0 <= found.high[0])
    assert 0.85 <= hits / 200 <= 0.99


def test_unknown_values_are_ignored():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    draws = GroupBootstrap(np.array(["a", "b", "c"]), 100, np.random.default_rng(0))
    found = draws.means(values)
    assert found.value[0] == 2
    assert found.n.tolist() == [2, 0]
    assert np.isnan(found.value[1])
    assert np.isnan(found.low[1])
    assert np.isnan(sign_test(values, np.array(["a", "b", "c"]))[1])


def test_the_sign_test_counts_groups():
    groups = np.array(["a", "a", "b", "c", "d", "e", "f"])
    lead = np.array([[3.0], [-1], [1], [1], [1], [1], [1]])
    found = sign_test(lead, groups)
    assert found[0] == pytest.approx(2 / 2**6)


def test_each_metric_is_corrected_separately():
    rows = [{"metric": "image_mass", "head": None, "p": 1e-6} for _ in range(50)]
    rows += [{"metric": "ratio", "head": None, "p": p} for p in (0.02, 0.5)]
    rows += [{"metric": "ratio", "head": 0, "p": 0.02}, {"metric": "ratio", "head": 0, "p": None}]
    found = summarise.corrected([row | {"q": None} for row in rows])
    assert [row["q"] for row in found[50:]] == pytest.approx([0.04, 0.5, 0.02, None])
