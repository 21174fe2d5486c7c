"""Gains of arms on hand-set answers, relative to controls, other arms and before tuning."""

import polars as pl
import pyarrow as pa
import pytest

from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.readouts import READOUTS
from eyechart.tables.tuning import ON_BLANK, TUNED, adaptable_at
from eyechart.tuning import compare

N = 40  # items; each is its own group
# items right before and after tuning on true data, white images and shuffled answers
RIGHT = {
    "lora_lm": (10, 34, 12, 14),
    "lora_vision": (10, 13, 12, 10),
    "lora_connector": (10, 12, 2, 10),  # training on white images harms it
    "prompt_5": (10, 20, 10, 10),
}


def answers(arm, counts, task="kind", dataset="mine", seeds=1):
    """Return rows in which the first items are right; choices are a and b, and a is right."""
    for data, right in zip(("none", "true", "blank", "shuffled"), counts, strict=True):
        for seed in [None] if data == "none" else range(seeds):
            for n in range(N):
                yield {
                    **{"model": "m", "tuned_on": "mine", "tuned_task": "kind", "arm": arm},
                    **{
                        "data": data,
                        "seed": seed,
                        "steps": 20,
                        "parameters": 100,
                        "learning_rate": 0.01,
                    },
                    **{"dataset": dataset, "task": task, "item_id": f"q{n}", "group": f"g{n}"},
                    **{"log_probability": [-1.0, -2.0], "answer": "a", "truth": 0},
                    **{"predicted": "ab"[n >= right], "chosen": int(n >= right)},
                    "right": n < right,
                    "region_mass": 0.1 + n / 1000 + 0.2 * (data == "true") if n < 20 else None,
                }


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuning")
    given = []
    for arm, counts in RIGHT.items():
        rows = list(answers(arm, counts))
        rows += answers(arm, (30, 24, 30, 30), task="other")
        rows += answers(arm, (30, 28, 30, 30), dataset="another")
        write_table(folder / f"{arm}.parquet", pa.Table.from_pylist(rows, TUNED))
        given.append(str(folder / f"{arm}.parquet"))
    shared = {"model": "m", "dataset": "mine", "task": "kind", "seen": "canvas"}
    rows = [shared | {"readout": "gram", "value": v} for v in (0.5, 0.85)]
    rows += [shared | {"readout": "gram/shuffled", "value": 1.0}]
    write_table(folder / "readouts.parquet", pa.Table.from_pylist(rows, READOUTS))
    output = folder / "m.parquet"
    words = ["--model", "m", "--settings", '{"alpha": 0.01}', "--output", str(output)]
    readouts = ["--readouts", str(folder / "readouts.parquet")]
    compare.main([*words, *readouts, "--answers", *given])
    return pl.DataFrame(read_table(output))


def row(table, arm, data="true", seed=None):
    same = pl.col("seed").is_null() if seed is None else pl.col("seed") == seed
    (found,) = table.filter(same, arm=arm, data=data).to_dicts()
    return found


def test_a_gain_is_true_minus_blank_on_the_same_items(table):
    found = row(table, "lora_lm")
    assert (found["before"], found["after"], found["gain"]) == (0.25, 0.85, pytest.approx(0.55))
    assert found["gain_low"] < 0.55 < found["gain_high"]
    assert found["p"] == pytest.approx(2 * 0.5**22)  # McNemar: 22 items, all in one direction
    assert found["over_shuffled"] == 0.5
    assert found["p_shuffled"] == pytest.approx(2 * 0.5**20)
    assert (found["part"], found["n"], found["groups"]) == ("lm", N, N)
    assert row(table, "lora_lm", "blank")["gain"] is None
    assert row(table, "lora_lm", "blank")["after"] == 0.3


def test_a_control_harmed_by_white_images_is_not_a_gain(table):
    found = row(table, "lora_connector")
    assert found["gain"] == pytest.approx(0.05)  # over before, not over white images
    assert found["p"] == 0.5


def test_frequent_answers_are_not_a_gain():
    """A model tuned on white images may give the frequent answer to white images only."""
    rows = list(answers("lora_lm", (10, 34, 12, 14)))
    white = [r | {"data": ON_BLANK, "right": n < 33} for n, r in enumerate(rows[2 * N : 3 * N])]
    found = compare.compared(pl.DataFrame(rows + white, schema_overrides={"seed": pl.Int32}), {})
    (own,) = [r for r in found if r["data"] == "true" and r["seed"] is None]
    assert (own["gain"], own["p"]) == (pytest.approx(1 / N), 1.0)
    assert {r["data"] for r in found} == {"true", "blank", "shuffled"}


def test_only_an_arm_that_beats_controls_and_other_arms_is_adaptable(table):
    said = {arm: row(table, arm)["adaptable"] for arm in RIGHT}
    assert said == {
        **{"lora_lm": True, "lora_vision": False, "lora_connector": False},
        "prompt_5": None,
    }
    assert adaptable_at(table.to_dicts()) == ["kind of mine at the part lm"]
    assert row(table, "lora_lm")["over_others"] == pytest.approx((34 - 13) / N)
    assert row(table, "prompt_5")["over_others"] is None
    assert row(table, "lora_lm", seed=0)["adaptable"] is None


def test_q_counts_all_tests_of_the_table(table):
    tested = table.filter(pl.col("p").is_not_null()).sort("p")
    assert len(tested) == 2 * len(RIGHT)  # one seed, and the mean over all
    assert tested["q"].is_sorted()
    assert tested["q"][0] == pytest.approx(tested["p"][0] * len(tested) / 2)  # two tests are tied


def test_readouts_distributions_and_other_tasks(table):
    found = row(table, "lora_lm")
    assert found["closed"] == pytest.approx(0.6 / (0.85 - 0.25))  # 1.0 is the control's
    assert (found["tv_before"], found["tv_after"]) == (0.75, pytest.approx(0.15))
    assert found["other_n"] == 2 * N
    assert found["forgotten"] == pytest.approx((6 + 2) / (2 * N))
    assert found["forgotten_low"] < found["forgotten"] < found["forgotten_high"]


def test_attention_to_regions_before_and_after(table):
    found = row(table, "lora_lm")
    assert (found["mass_before"], found["mass_after"]) == pytest.approx((0.1095, 0.3095))
    assert found["mass_low"] == found["mass_high"] == pytest.approx(0.2)  # equal for all items
    assert row(table, "lora_lm", "blank")["mass_after"] == pytest.approx(0.1095)


def test_seeds_are_averaged_by_item():
    first = list(answers("lora_lm", (10, 30, 10, 10)))
    second = [r | {"seed": 1} for r in answers("lora_lm", (10, 20, 10, 10)) if r["data"] != "none"]
    rows = compare.compared(pl.DataFrame(first + second, schema_overrides={"seed": pl.Int32}), {})
    gains = {r["seed"]: r["gain"] for r in rows if r["data"] == "true"}
    assert gains == pytest.approx({0: 0.5, 1: 0.25, None: 0.375})
    (mean,) = [r for r in rows if r["data"] == "true" and r["seed"] is None]
    assert mean["p"] == pytest.approx(2 * 0.5**20)
