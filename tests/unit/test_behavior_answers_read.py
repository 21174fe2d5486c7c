"""Scoring with unusual answers, missing conditions and unknown truth: refusals and counts."""

import logging

import numpy as np
import polars as pl
import pytest
from fake_answers import answer, answers, item, looks, pairs, says_a, score, values

from eyechart.core.errors import UserError

ITEMS = pairs(3)


def sighted(**change):
    rows = answers(ITEMS, looks, "sighted", orders=1)
    rows[0] |= change
    return rows


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"sighted": sighted(item_id="pair_009_0")}, "item 'pair_009_0' is not among"),
        ({"sighted": sighted(predicted="maybe")}, "predicted is 'maybe', which is not one of"),
        ({"sighted": sighted(predicted=None)}, "item 'pair_000_0': predicted is null"),
        ({"sighted": sighted(text="x", parsed="x")}, "parsed is 'x', which is not one of"),
        ({"sighted": sighted(model="other")}, "model is 'other', expected 'fake'"),
        ({"sighted": sighted(dataset="clevr")}, "dataset is 'clevr', expected 'lamps'"),
        ({"sighted": sighted(condition="blank")}, "condition is 'blank', expected 'sighted'"),
        ({"sighted": sighted() + sighted()[:1]}, "item 'pair_000_0' is answered twice in order 0"),
        ({"blank": answers(ITEMS, looks, "blank")}, "no responses under 'sighted'"),
        ({"sighted": [], "blank": answers(ITEMS, looks, "blank")}, "no responses under 'sighted'"),
        ({"sited": sighted()}, "'sited' is not a condition; did you mean 'sighted'?"),
        (
            {"sighted": sighted(), "blank": answers(ITEMS[1:], looks, "blank", 1)},
            "blank.parquet: item 'pair_000_0' in order 0 is not answered, but",
        ),
        (
            {"sighted": sighted(), "blank": answers(ITEMS, looks, "blank", 2)},
            "sighted.parquet: item 'pair_000_0' in order 1 is not answered, but",
        ),
    ],
)
def test_answers_that_do_not_belong_together_are_refused(tmp_path, said, message):
    with pytest.raises(UserError) as error:
        score(tmp_path, ITEMS, said)
    assert message in str(error.value)
    assert not (tmp_path / "scores.parquet").exists()


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([*ITEMS, ITEMS[0]], "item 'pair_000_0' stands there twice"),
        (
            [ITEMS[0] | {"choices": ["on", "on"]}, *ITEMS[1:]],
            "'pair_000_0' has the same choice twice",
        ),
        (
            [ITEMS[0] | {"answer": "dim"}, *ITEMS[1:]],
            "'pair_000_0' has an answer that is not among",
        ),
        (
            [ITEMS[0] | {"group": "alone"}, *ITEMS[1:]],
            "'pair_000_0' is in a pair that spans several groups",
        ),
    ],
)
def test_items_that_cannot_be_scored_are_refused(tmp_path, items, message):
    with pytest.raises(UserError) as error:
        score(tmp_path, items, {"sighted": sighted()})
    assert message in str(error.value)


def test_an_impossible_condition_has_no_rows_and_is_logged(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        scores, shares = score(tmp_path, ITEMS, {"sighted": sighted(), "no_image": []})
    assert set(scores["condition"]) == set(shares["condition"]) == {"sighted"}
    assert "no_image gets no scores" in caplog.text


def test_a_model_without_answers_gets_empty_tables(tmp_path):
    scores, shares = score(tmp_path, ITEMS, {"sighted": []})
    assert len(scores) == len(shares) == 0


def test_items_without_a_known_answer_count_where_no_answer_is_needed(tmp_path, caplog):
    items = [*pairs(4), item("unknown", None, ["off", "on"], prompt="Lamp: on")]
    said = {c: answers(items, looks, c, 1) for c in ("sighted", "blank")}
    with caplog.at_level(logging.INFO):
        scores, shares = score(tmp_path, items, said)
    assert "9 items, 1 without a known answer" in caplog.text
    n = values(scores, column="n")
    assert n["accuracy"] == n["tv_truth"] == n["majority"] == 8
    assert n["tv_blank"] == n["place_bias"] == 9
    assert values(scores, "blank", column="n")["changed"] == 9
    assert values(scores, "blank")["changed"] == pytest.approx(4 / 9)
    rows = shares.filter(condition="sighted", task="all", kind="choice")
    assert rows["truth"].to_list() == [0.5, 0.5]
    assert rows["predicted"].to_list() == pytest.approx([5 / 9, 4 / 9])


def test_a_dataset_without_known_answers_still_has_distributions(tmp_path):
    items = [row | {"answer": None, "pair": None} for row in ITEMS]
    said = {c: answers(items, says_a, c, 1) for c in ("sighted", "blank")}
    scores, shares = score(tmp_path, items, said)
    assert set(scores["metric"]) == {*("tv_blank", "changed", "changed_by_sum", "place_bias")}
    assert shares["truth"].null_count() == len(shares)


def test_unparsed_texts_are_counted_as_wrong(tmp_path):
    rows = answers(ITEMS, looks, "sighted", orders=1)
    for i, row in enumerate(rows):
        row["text"] = "hm" if i < 2 else row["predicted"]
        row["parsed"] = None if i < 2 else row["predicted"]
    scores, _ = score(tmp_path, ITEMS, {"sighted": rows})
    found = values(scores)
    assert found["accuracy"] == 1
    assert found["accuracy_text"] == pytest.approx(4 / 6)
    assert found["unparsed"] == pytest.approx(2 / 6)


def test_texts_of_only_some_orders_are_scored_separately(tmp_path):
    rows = answers(ITEMS, looks, "sighted")
    for row in rows:
        if row["order"] == 0:
            row["text"] = row["parsed"] = row["predicted"]
    scores, _ = score(tmp_path, ITEMS, {"sighted": rows})
    assert values(scores)["accuracy_text"] == 1
    assert values(scores)["unparsed"] == 0


def test_other_scorings_are_counted_from_the_stored_numbers(tmp_path):
    rows = answers(ITEMS, looks, "sighted", orders=1)
    for row in rows:  # per token, "on" is likelier where it is right; as a sum, "off" always is
        right = row["predicted"] == "on"
        row |= {"log_probability": [-2.0, -3.0], "tokens": [1, 4 if right else 1]}
    scores, _ = score(tmp_path, ITEMS, {"sighted": rows})
    found = values(scores)
    assert (found["accuracy"], found["accuracy_sum"], found["changed_by_sum"]) == (1, 0.5, 0.5)
    assert "accuracy_pmi" not in found
    for row in rows:  # "on" is equally unlikely without the image, so only the image counts
        row["unconditional"] = [-2.0, -4.0] if row["predicted"] == "on" else [-3.0, -3.0]
    found = values(score(tmp_path, ITEMS, {"sighted": rows})[0])
    assert (found["accuracy_pmi"], found["changed_by_pmi"]) == (1, 0)
    for row in rows:
        row["scoring"] = "letter"  # now the numbers score letters, not texts
    assert not [
        name for name in values(score(tmp_path, ITEMS, {"sighted": rows})[0]) if "_sum" in name
    ]


def test_a_pair_with_an_unanswered_item_is_not_scored(tmp_path):
    rows = answers(ITEMS, looks, "sighted")
    scores, _ = score(tmp_path, ITEMS, {"sighted": rows[:-2]})
    assert values(scores, column="n")["pair_accuracy"] == 2
    assert values(scores, column="n")["accuracy"] == 5


def test_items_with_different_numbers_of_options_weigh_the_same(tmp_path):
    items = [
        item("a", "x", ["x", "y"]),
        item("b", "x", ["x", "y", "z"]),
        item("c", "w", ["v", "w", "x", "y", "z"]),
    ]
    scores, _ = score(tmp_path, items, {"sighted": answers(items, says_a, "sighted")})
    mean_chance = np.mean([1 / 2, 1 / 3, 1 / 5])
    assert values(scores)["accuracy"] == pytest.approx(mean_chance, abs=1e-9)
    assert values(scores, column="chance")["accuracy"] == pytest.approx(mean_chance, abs=1e-9)
    assert values(scores)["place_bias"] == pytest.approx(1 - mean_chance, abs=1e-9)


def test_a_group_of_many_items_votes_once(tmp_path):
    one = [item(f"i{i}", "on", ["off", "on"], group="g") for i in range(30)]
    said = {
        "sighted": [answer(row["item_id"], "sighted", 0, "on", row["choices"]) for row in one],
        "blank": [answer(row["item_id"], "blank", 0, "off", row["choices"]) for row in one],
    }
    scores, _ = score(tmp_path, one, said)
    row = scores.filter(condition="blank", task="all", metric="accuracy")
    assert row.select("n", "groups", "difference", "p").row(0) == (30, 1, -1.0, 1.0)
    assert scores.schema["value"] == pl.Float64
