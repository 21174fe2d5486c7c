"""Planted bottlenecks get their class or, with few items, none; rules exclude one another."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from verdict_fixture import MODELS, numbers, skills_of

from eyechart.tables.verdict import CLASSES
from eyechart.tables.verdict_rules import LOSSES
from eyechart.verdict.evidence import compare_all, measure
from eyechart.verdict.rules import FACTS, NO_RULE, RULES, VerdictThresholds, decide, facts
from eyechart.verdict.table import apply_rules

BAR = VerdictThresholds(alpha=0.01, margin=0.1)
SEEDS, SKILLS = 10, 6
ROOT = Path(__file__).resolve().parents[2]


def classes(name: str, n: int) -> Counter[str]:
    """Count the classes of all skills over all seeds; each seed is a separate table."""
    return Counter(
        rule.verdict
        for seed in range(SEEDS)
        for _, _, rule in apply_rules(skills_of(name, n, seed, SKILLS), "vlm", BAR)
    )


@pytest.mark.parametrize("name", MODELS)
def test_a_planted_bottleneck_gets_its_class_from_400_items(name):
    found = classes(name, 400)
    assert found[MODELS[name]] >= 0.95 * found.total(), found
    wrong = found.total() - found[MODELS[name]] - found["undecided"]
    assert wrong <= 0.01 * found.total(), found


@pytest.mark.parametrize("name", MODELS)
def test_thirty_items_hardly_ever_mislead_and_show_no_absence(name):
    found = classes(name, 30)
    assert name != "sees nothing" or found["undecided"] > 0.4 * found.total(), found
    wrong = found.total() - found[MODELS[name]] - found["undecided"]
    assert wrong <= 0.05 * found.total(), found


@pytest.mark.parametrize("n", [30, 400])
def test_at_chance_nothing_is_found_to_be_held_lost_or_used(n):
    found = classes("sees nothing, of two choices", n)
    assert found["not_encoded"] + found["undecided"] >= 0.97 * found.total(), found


@pytest.mark.parametrize("name", ["works", "sees nothing", "ignored by the head"])
def test_items_of_one_scene_count_once_in_every_interval_and_test(name):
    """Five questions per scene that are all right or all wrong decide as much as one per scene."""
    (many,), (once,) = skills_of(name, 300, 0, 1, size=5), skills_of(name, 60, 0, 1)
    found, alone, naive = (
        measure(skill, "vlm", compare_all(skill), BAR)
        for skill in (many, once, replace(many, groups=np.arange(300).astype(str)))
    )
    for stage, at in found.estimates.items():
        three = (at, alone.estimates[stage], naive.estimates[stage])
        width, expected, narrow = (e.high - e.low for e in three)
        assert 0.8 * expected < width < 1.25 * expected and narrow < 0.6 * width
    for comparison, test in found.tests.items():
        wide, narrow = (t.high - t.low for t in (test, naive.tests[comparison]))
        assert narrow < 0.75 * wide
        # other halves choose the best address, so p under the null may vary
        assert test.p >= min(naive.tests[comparison].p, 0.05)
    assert (found.changed.high - found.changed.low) > 1.5 * (naive.changed.high - naive.changed.low)


HIGH, LOW = 0.7, 0.26
ASKED = {"sighted": LOW, "blind": LOW}
CASES = [
    ({"encoder": HIGH, "lm_best": HIGH, "sighted": HIGH, "blind": LOW}, "used"),
    ({"encoder": HIGH, "lm_best": HIGH} | ASKED, "not_used"),
    ({"encoder": HIGH, "lm_best": HIGH, "sighted": 0.5, "blind": LOW}, "not_used"),  # partly used
    ({"encoder": HIGH, "connector": LOW, "lm_best": LOW} | ASKED, "lost_in_connector"),
    ({"encoder": HIGH, "connector": HIGH, "lm_best": LOW} | ASKED, "lost_in_lm"),
    ({"encoder": HIGH, "connector": LOW} | ASKED, "lost_in_connector"),
    # a stage that was not measured may have it
    ({"encoder": LOW, "lm_best": LOW} | ASKED, "undecided"),
    ({"encoder": LOW, "connector": LOW} | ASKED, "undecided"),
    ({"encoder": LOW}, "undecided"),
    ({"encoder": HIGH, "lm_best": HIGH, "sighted": 0.5, "blind": 0.5}, "prior"),
    ({"lm_best": HIGH} | ASKED, "not_used"),  # encoder and connector have no address
    ({"lm_best": LOW} | ASKED, "undecided"),
    ({"position_best": HIGH} | ASKED, "not_verbalised"),
    ({"encoder": HIGH} | ASKED, "undecided"),  # lost, but it is unknown where
    ({"encoder": LOW, "lm_best": HIGH, "sighted": 0.65, "blind": 0.5}, "used"),
    ({"encoder": LOW, "lm_best": HIGH}, "undecided"),  # these contradict each other
    ({"encoder": LOW, "connector": HIGH, "lm_best": LOW, "sighted": LOW}, "lost_in_lm"),
    ({"encoder": LOW, "connector": 0.36, "lm_best": LOW, "sighted": LOW}, "undecided"),
    ({"encoder": LOW, "connector": LOW, "lm_best": LOW, "sighted": LOW}, "not_encoded"),
    ({"encoder": HIGH, "lm_best": HIGH, "sighted": HIGH}, "undecided"),  # no blind answers
    ({}, "undecided"),
]


@pytest.mark.parametrize(("values", "expected"), CASES)
def test_the_rules_match_the_page(values, expected):
    assert decide(numbers(values), BAR).verdict == expected


def test_a_model_with_equal_blind_answers_answers_from_its_prior():
    found = numbers(ASKED, changed=0.03)
    assert decide(found, BAR).name == "says the same blind"
    assert decide(numbers(ASKED), BAR) == NO_RULE
    held = numbers({"lm_best": HIGH} | ASKED, changed=0.03)
    assert decide(held, BAR).verdict == "not_used"  # information that it has takes precedence


def test_a_stand_alone_encoder_never_gets_a_brain_class():
    for value, expected in ((HIGH, "encoded"), (LOW, "not_encoded"), (0.34, "undecided")):
        found = replace(numbers({"alone": value}), kind="encoder", decisive="alone")
        assert decide(found, BAR).verdict == expected


def test_an_encoders_features_take_precedence_over_its_answers():
    """If the features have the information, a text tower that ignores the image is not a prior."""
    said = numbers({"alone": HIGH, "sighted": 0.5, "blind": 0.5})
    found = replace(said, kind="encoder", decisive="alone")
    assert decide(found, BAR).verdict == "encoded"
    assert decide(replace(found, read=False), BAR).verdict == "prior"
    looks = numbers({"alone": HIGH, "sighted": 0.6, "blind": LOW})
    found = replace(looks, kind="encoder", decisive="alone")
    assert decide(found, BAR).verdict == "used"


@pytest.mark.parametrize("reach", [0.02, 0.3])
def test_facts_that_contradict_each_other_are_never_both_shown(reach):
    for value in (0.1, 0.25, 0.3, 0.35, 0.5, 0.9):
        found = numbers({"lm_best": value, "sighted": 0.3, "blind": value}, reach=reach)
        at, test = found.estimates["lm_best"], found.tests["sighted_blind"]
        assert not (BAR.has(at) and BAR.lacks(at))
        assert not (BAR.above(test) and BAR.alike(test))


def test_a_difference_below_the_margin_does_not_count_with_any_number_of_items():
    values = {"encoder": HIGH, "lm_best": 0.70, "sighted": 0.65, "blind": LOW}
    assert decide(numbers(values, reach=0.001), BAR).verdict == "used"
    values = {"encoder": 0.3, "connector": 0.3, "lm_best": 0.3, "sighted": 0.3, "blind": LOW}
    assert decide(numbers(values, reach=0.001), BAR).verdict == "not_encoded"


def test_every_fact_of_a_rule_is_defined_and_every_class_has_a_rule():
    named = {fact for rule in RULES for fact in (*rule.shown, *rule.unless)}
    given = set(facts(numbers({}), BAR))
    assert named <= given and set(FACTS) <= named
    assert {f"most is {loss.name}" for loss in LOSSES} <= named
    assert {rule.verdict for rule in (*RULES, NO_RULE)} == set(CLASSES)
