"""Items answered in steps: levels add up, the order is stable, decided skills are not answered."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from scipy.special import ndtr
from verdict_fixture import flags, read, skills_of

from eyechart.behavior.settings import LookFlags
from eyechart.core.randomness import generator
from eyechart.statistics.spending import spent_levels
from eyechart.tables.looks import as_metadata, plan_looks, read_planned
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.responses import ANSWERS
from eyechart.tables.verdict import SKILLS, parts
from eyechart.verdict import calibrate, decide
from eyechart.verdict.evidence import compare_all, thresholds_of
from eyechart.verdict.planted import SCENARIOS, write_tables
from eyechart.verdict.rules import VerdictThresholds
from eyechart.verdict.rules import decide as decide_class
from eyechart.verdict.table import apply_rules

COUNTS = [10, 20, 40]
LOOKS = [36, 72, 144, 216, 288, 400]
BAR = VerdictThresholds(alpha=0.01, margin=0.1)


def items(task: str, groups: int, size: int = 1, split: str = "test") -> list[dict]:
    return [
        {"item_id": f"{task}-{g}-{i}", "task": task, "group": f"g{g}", "group_split": split,
         "choices": ["a", "b"], "answer": "a"}
        for g in range(groups) for i in range(size)
    ]  # fmt: skip


# Levels


@pytest.mark.parametrize("level", [0.01, 0.05])
def test_a_true_null_tested_at_every_look_is_rejected_at_the_level(level):
    shares = tuple(n / LOOKS[-1] for n in LOOKS)
    levels = np.array(spent_levels(level, shares))
    sums = generator("looks").normal(size=(40_000, LOOKS[-1])).cumsum(axis=1)
    p = ndtr(-sums[:, np.array(LOOKS) - 1] / np.sqrt(LOOKS))
    crossed, band = p < levels, 3 * np.sqrt(level / 40_000)
    assert crossed.any(axis=1).mean() == pytest.approx(level, abs=band)
    for k, share in enumerate(shares):  # the level spent up to each look
        spent = crossed[:, : k + 1].any(axis=1).mean()
        assert spent == pytest.approx(level * share, abs=band)
    assert (p < level).any(axis=1).mean() > 2 * level  # without spending, the error rate is higher


def test_one_look_has_the_full_level_and_several_have_less():
    assert spent_levels(0.05, (1.0,)) == pytest.approx((0.05,))
    several = spent_levels(0.05, (0.25, 0.5, 1.0))
    assert several[0] == pytest.approx(0.05 / 4) and 0.05 / 2 < several[2] < 0.05


def test_a_skill_is_tested_at_the_level_of_the_look_at_which_it_stopped():
    (skill,) = skills_of("works", 72, 0, 1)
    at = {n: replace(skill, looks=(36, 72, 144), answered=n) for n in (36, 72, 144)}
    own = {n: thresholds_of(one, BAR) for n, one in at.items()}
    assert [one.look for one in at.values()] == [0, 1, 2]
    assert own[36].alpha == pytest.approx(0.01 / 4) and own[36].absence == pytest.approx(0.05 / 4)
    assert own[36].equality < own[72].equality < own[144].equality < BAR.equality
    assert thresholds_of(skill, BAR) == BAR
    assert compare_all(at[36]) == compare_all(skill)


@pytest.mark.parametrize(
    ("name", "seed", "refused"),
    [
        ("chain: answers alike, sees nothing", 23, "not_encoded"),
        ("chain: loses 15 points in retrieval", 7, "used"),
    ],
)
def test_a_class_at_a_look_also_holds_at_the_full_levels(name, seed, refused):
    """With few items, a class may be shown before its exception or an earlier class."""
    for k in (*range(seed - 7, seed), seed):
        (skill,) = skills_of(name, 72, k, 1)
        early = replace(skill, looks=tuple(LOOKS), answered=72)
        (_, found, rule), (_, _, once) = (apply_rules([s], "vlm", BAR)[0] for s in (early, skill))
        assert rule.verdict in (once.verdict, "undecided")
    assert rule.verdict == "undecided"
    assert decide_class(found, thresholds_of(early, BAR)).verdict == refused, "without the look"


# The order of items


def test_groups_are_not_split_and_a_look_ends_with_the_group_that_reaches_its_count():
    found, planned = plan_looks(items("t", 30, size=3), COUNTS, seed=1)
    assert planned == {"t": [12, 21, 42]} and len(found) == 42
    looks = {}
    for name, look in found.items():
        looks.setdefault(name.rsplit("-", 1)[0], set()).add(look)
    assert all(len(one) == 1 for one in looks.values())
    assert [sum(x == k for x in found.values()) for k in range(3)] == [12, 9, 21]


def test_the_order_depends_on_the_seed_and_not_on_other_skills_or_items():
    own, other = items("t", 60), items("u", 60, size=2)
    found, planned = plan_looks(own, COUNTS, seed=1)
    both, plans = plan_looks([*other, *reversed(own)], COUNTS, seed=1)
    assert {k: v for k, v in both.items() if k in found} == found and plans["t"] == planned["t"]
    assert plan_looks(own, COUNTS, seed=2)[0] != found
    first = {name for name, look in found.items() if look == 0}
    assert first != {item["item_id"] for item in own[:10]}, "the order must differ from the file's"
    shared = {i["group"] for i in own if i["item_id"] in first}
    assert {i["group"] for i in other if both.get(i["item_id"]) == 0} <= shared, "the same scenes"


def test_a_skill_with_fewer_items_has_them_all_by_its_last_look():
    assert plan_looks(items("t", 15), COUNTS, 1)[1] == {"t": [10, 15]}
    found, planned = plan_looks(items("t", 4), COUNTS, 1)
    assert planned == {"t": [4]} and set(found.values()) == {0}


def test_items_without_a_verdict_are_in_the_first_look_and_the_test_set_comes_first():
    open_ones = [{**i, "choices": []} for i in items("open", 50)]
    hidden = [{**i, "answer": None} for i in items("hidden", 50)]
    mixed = items("t", 20, split="train") + [
        {**i, "group": "x" + i["group"], "item_id": "x" + i["item_id"]} for i in items("t", 20)
    ]
    found, planned = plan_looks([*open_ones, *hidden, *mixed], COUNTS, 1)
    assert planned["open"] == planned["hidden"] == []
    assert all(found[i["item_id"]] == 0 for i in [*open_ones, *hidden])
    assert all(found[f"xt-{g}-0"] < 2 for g in range(20))
    assert all(found[f"t-{g}-0"] == 2 for g in range(20))


def test_a_step_answers_only_skills_left_undecided_by_the_previous_look(tmp_path):
    asked = [*items("t", 60), *items("u", 60)]
    rows = [
        {"model": "m", "dataset": d, "skill": s, "verdict": v}
        for d, s, v in [
            ("d", "t", "not_used"),
            ("d", "u", "undecided"),
            ("other", "t", "undecided"),
        ]
    ]
    write_table(tmp_path / "c.parquet", pa.Table.from_pylist(rows, SKILLS))
    chosen = []
    for look in (1, 2, 3):
        decided = [tmp_path / "c.parquet"] * (look > 1)
        steps = LookFlags({"counts": COUNTS, "look": look}, [], decided)
        now, note = steps.choose(asked, "d", 1)
        chosen += [item["item_id"] for item in now]
        assert {i["task"] for i in now} == ({"t", "u"} if look == 1 else {"u"})
        assert note == as_metadata({"t": COUNTS, "u": COUNTS})
    assert len(chosen) == len(set(chosen)) == 10 + 40
    assert LookFlags({}, [], []).choose(asked, "d", 1) == (asked, {})


# With the real steps


def write_answers(paths: list[Path], keep: set[str], planned: dict) -> None:
    for path in paths:
        rows = pl.DataFrame(read_table(path)).filter(pl.col("item_id").is_in(keep))
        table = rows.to_arrow().cast(ANSWERS).replace_schema_metadata(as_metadata(planned))
        write_table(path, table)


def test_the_verdict_states_the_look_at_which_a_skill_stopped(tmp_path):
    """Later answers have no effect, and the numbers are from that look."""
    tasks = {"s0": 200, "s1": 200}
    case, rng = SCENARIOS["ignored by the head"], generator("looks")
    found = write_tables(tmp_path, "m", "drawn", case, tasks, rng)
    counts = [36, 72, 144]
    look_of, planned = plan_looks(read_table(found.items[0]).to_pylist(), counts, 1)
    upto = {k: {name for name, look in look_of.items() if look <= k} for k in range(3)}
    words = flags(tmp_path, items=found.items, answers=found.answers, readouts=found.readouts)
    rows = {}
    full = {path: read_table(path) for path in found.answers}
    for name, s0, s1 in (("first", 1, 1), ("later", 1, 2)):
        for path, table in full.items():
            write_table(path, table)
        keep = {i for i in upto[s0] if i[:2] == "s0"} | {i for i in upto[s1] if i[:2] == "s1"}
        write_answers(found.answers, keep, planned)
        assert read_planned(found.answers[0]) == {"s0": (36, 72, 144), "s1": (36, 72, 144)}
        decide.main(words)
        rows[name] = {r["skill"]: r for r in read(tmp_path / "results/verdict/m.parquet")}
    assert rows["first"]["s0"] == rows["later"]["s0"]
    assert rows["first"]["s0"]["verdict"] == "not_used"
    assert [rows["later"][s][k] for s in ("s0", "s1") for k in ("look", "answered", "planned")] == [
        2, 72, 144, 3, 144, 144,
    ]  # fmt: skip
    assert "72 of 144 items answered, look 2 of 3" in rows["later"]["s0"]["why"]


def test_looks_are_not_mentioned_if_all_items_are_answered_at_once(tmp_path):
    found = write_tables(
        tmp_path, "m", "drawn", SCENARIOS["works"], {"s": 60}, generator("looks once")
    )
    decide.main(flags(tmp_path, items=found.items, answers=found.answers, readouts=found.readouts))
    classes = pl.read_parquet(parts(tmp_path / "results/verdict/m.parquet")[1])
    assert classes.select("look", "answered", "planned").row(0) == (None, None, None)
    assert "answered, look" not in classes["why"][0]


def test_steps_decide_planted_models_with_fewer_items():
    settings = json.loads('{"alpha": 0.01, "margin": 0.1, "skills": 6}')
    for name, most in (("ignored by the head", 140), ("erased after the connector", 100)):
        row = calibrate.measure(name, LOOKS[-1], settings, 7, LOOKS)
        assert row["right"] >= 0.9 and row["wrong"] == 0 and row["looks"] == 6
        assert row["answered"] <= most and row["coverage"] is None
