"""Effects of planted edits, and the rate of false effects."""

import numpy as np
import polars as pl
import pytest

from eyechart.core.address import OTHER_OBJECT, REFERENT
from eyechart.interventions import measure_effects
from eyechart.interventions.asked import DONOR, OWN, AskedItem
from eyechart.interventions.edit import Edit
from eyechart.interventions.erasers import Sample, permuted
from eyechart.interventions.measure_effects import effects
from eyechart.tables.interventions import BEST, DENOISE, NONE, SWAP, TO_DONOR
from eyechart.tables.verdict_rules import VerdictThresholds
from eyechart.verdict.causal import evidence

ITEMS, ADDRESSES = 60, ("connector", "lm.0", "lm.10")
PLAIN = {"until": "", "direction": "", "target": "image", "concept": "", "draw": 0, "task": "kind"}


def rows(intervention, values, address="", control="", **changes):
    """Return rows of an edit; answers with value 1 are right, and groups have two items."""
    return [
        {
            **PLAIN,
            **{"item_id": f"q{n:03}", "group": f"g{n // 2:03}", "intervention": intervention},
            **{"address": address, "until": address, "control": control},
            **{"right": bool(v), "moved": not v, "to_donor": None},
            **changes,
        }
        for n, v in enumerate(values)
    ]


def table(parts):
    schema = {"to_donor": pl.Boolean}
    return pl.DataFrame([row for part in parts for row in part], schema_overrides=schema)


def measured(parts, **which):
    found = pl.DataFrame(list(effects(table(parts), 0.1, 7)))
    rows = found.filter(metric="right", **which).to_dicts()
    assert len(rows) == 1
    return rows[0]


ONES, HALF = np.ones(ITEMS), np.arange(ITEMS) % 4 < 2  # every second group


def test_an_effect_is_target_minus_the_mean_control_on_the_same_items():
    parts = [
        rows(NONE, ONES),
        rows("erase", HALF, "lm.0"),
        rows("erase", ONES, "lm.0", "random"),
        rows("erase", HALF, "lm.0", "random", draw=1),
        rows("erase", ONES[:40], "lm.0", "permuted"),
    ]
    row = measured(parts, address="lm.0", control="random")
    assert (row["value"], row["control_value"], row["unedited"]) == (0.5, 0.75, 1)
    assert row["difference"] == -0.25 and row["difference_low"] < -0.25 < row["difference_high"] < 0
    assert (row["n"], row["groups"], row["equal"]) == (60, 30, False)
    assert row["p"] == pytest.approx(2 * 0.5**15)  # 15 groups differ, all in one direction
    other = measured(parts, address="lm.0", control="permuted")
    assert (other["n"], other["control_value"]) == (40, 1)


def test_without_a_control_the_unedited_answer_or_the_donors_run_is_used():
    parts = [
        *(rows(NONE, ONES), rows(SWAP, HALF), rows("ablate", HALF, "connector")),
        rows("patch", ONES, "lm.0", direction=DENOISE),
    ]
    row = measured(parts, intervention="ablate")
    assert (row["control"], row["control_value"], row["difference"]) == ("none", 1, -0.5)
    row = measured(parts, intervention="patch")
    assert (row["control"], row["control_value"], row["difference"]) == ("swap", 0.5, 0.5)


def test_no_effect_is_shown_only_with_enough_items():
    def at(count):
        parts = [rows(NONE, ONES[:count]), rows("ablate", ONES[:count], "connector")]
        return measured(parts)

    assert at(60)["equal"] and at(60)["p"] == 1
    assert not at(10)["equal"]
    parts = [rows("ablate", ONES, a) for a in ADDRESSES]
    assert measured([rows(NONE, ONES), *parts], address="best")["equal"]
    few = [rows("ablate", ONES[:10], a) for a in ADDRESSES]
    assert not measured([rows(NONE, ONES[:10]), *few], address="best")["equal"]


def test_the_best_address_is_scored_on_groups_not_used_to_choose_it():
    parts = [rows(NONE, ONES)]
    parts += [rows("ablate", v, a) for a, v in zip(ADDRESSES, (ONES, HALF, ONES), strict=True)]
    best = measured(parts, address="best")
    assert best["chosen"] == "lm.0" and best["difference"] == pytest.approx(-0.5)
    found = pl.DataFrame(list(effects(table(parts), 0.1, 7))).filter(metric="right")
    assert found["address"].to_list() == [*ADDRESSES, "best"]  # in the order of the layers


def test_edits_that_do_nothing_are_significant_at_no_more_than_the_nominal_rate():
    draw = np.random.default_rng(1)
    p = {"one": [], "best": []}
    differences, equal = [], []
    for _ in range(200):
        shared = np.repeat(draw.random(ITEMS // 2), 2)  # items of a group are equal
        parts = [rows(NONE, ONES)]
        for address in ADDRESSES:  # edit and control have the same distribution
            for control in ("", "random"):
                parts.append(rows("erase", draw.random(ITEMS) < shared, address, control))
        found = pl.DataFrame(list(effects(table(parts), 0.1, 7))).filter(metric="right")
        p["one"] += found.filter(pl.col("address") != "best")["p"].to_list()
        p["best"] += found.filter(address="best")["p"].to_list()
        differences += found["difference"].to_list()
        equal += found["equal"].to_list()
    for kind, values in p.items():
        rate = np.mean(np.array(values) < 0.05)
        assert rate < 0.05 + 2 * np.sqrt(0.05 * 0.95 / len(values)), (kind, rate)
    assert abs(np.mean(differences)) < 0.01
    assert np.mean(equal) < 0.1  # sixty noisy items seldom show the absence of an effect


def test_equal_donors_and_controls_show_no_effect_beyond_the_level(monkeypatch):
    """In 200 skills with equally distributed donors and controls, no fact or horizon is found."""
    monkeypatch.setattr(measure_effects, "best", lambda *_: {})  # facts do not use it
    draw, bar = np.random.default_rng(4), VerdictThresholds(0.05, 0.1)
    found, differences = [], []
    for _ in range(200):
        parts, shared = [rows(NONE, ONES)], np.repeat(draw.random(ITEMS // 2), 2)
        for address in ADDRESSES:
            for control in ("", "same_answer"):
                went = draw.random(ITEMS) < shared
                part = rows("patch", ~went, address, control, direction="noise")
                parts.append(
                    [one | {"to_donor": bool(w)} for one, w in zip(part, went, strict=True)]
                )
        measured = [r for r in effects(table(parts), 0.1, 7) if r["address"] != BEST]
        found.append(evidence(measured, []))
        differences += [row["difference"] for row in measured if row["metric"] == TO_DONOR]
    assert abs(np.mean(differences)) < 0.01
    assert len(found) == 200 and len(found[0].image) == len(ADDRESSES)
    assert np.mean([one.horizon(bar) is not None for one in found]) <= 0.05


def test_edits_that_change_no_answer_are_equal_and_never_significant():
    draw = np.random.default_rng(2)
    for _ in range(20):
        said = draw.random(ITEMS) < 0.7
        row = measured([rows(NONE, said), rows("ablate", said, "connector")])
        assert (row["difference"], row["p"], row["equal"]) == (0, 1, True)


def test_permuted_labels_are_those_of_other_items_and_one_per_item():
    names = np.array([f"q{n:03}" for n in range(ITEMS)])
    items = np.repeat(names, 3)
    labels = np.repeat(np.arange(ITEMS) % 3, 3).astype(str)
    tasks = np.where(np.arange(3 * ITEMS) < 150, "kind", "other")
    zeros = np.zeros((3 * ITEMS, 2))
    sample = Sample(np.zeros(2), np.eye(2), zeros, tasks, labels, items, items)
    found = permuted(sample, "kind", np.random.default_rng(1)).answers
    assert (found[150:] == labels[150:]).all() and (found != labels)[:150].mean() > 0.3
    by_item = found.reshape(ITEMS, 3)
    assert (by_item == by_item[:, :1]).all()
    assert sorted(by_item[:50, 0]) == sorted(labels.reshape(ITEMS, 3)[:50, 0])


@pytest.mark.parametrize(
    ("regions", "applies"),
    [((REFERENT, OTHER_OBJECT), True), ((REFERENT,), False), ((OTHER_OBJECT,), False)],
)
def test_a_region_edit_uses_items_with_tokens_of_both_regions(regions, applies):
    asked = AskedItem({}, {}, {}, {OWN: dict.fromkeys(regions)})
    edit = Edit("ablate", None, target=REFERENT, region=OTHER_OBJECT)
    assert edit.applies(asked) == applies
    assert Edit("ablate", None, target="image").applies(asked)
    assert not Edit("patch", None, target="image", donor=DONOR).applies(asked)
