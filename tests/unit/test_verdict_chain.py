"""The chain from encoder to answer: largest loss, weak signals, and null results."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from verdict_fixture import decided, numbers, skills_of

from eyechart.core.randomness import generator
from eyechart.tables.verdict import CLASSES, COMPARISONS
from eyechart.verdict.evidence import Skill, StageEvidence
from eyechart.verdict.losses import WAY, largest_drop, loss_of, shown_losses
from eyechart.verdict.planted import CHAIN, SCENARIOS
from eyechart.verdict.rules import VerdictThresholds, decide, facts
from eyechart.verdict.sentences import TITLES, why
from eyechart.verdict.table import apply_rules

BAR = VerdictThresholds(alpha=0.01, margin=0.1)
BLIND = {"blind": 0.25}


def chain(*values: float, **more: float) -> dict[str, float]:
    """Return the values of encoder, connector, image tokens, answer position, answer and blind."""
    return dict(zip(WAY, values, strict=True)) | {"lm_last": values[2]} | BLIND | more


@pytest.mark.parametrize("name", CHAIN)
def test_every_planted_chain_gets_its_class_through_the_step(tmp_path, name):
    rows, right = decided(tmp_path, name, 130, 6), {*SCENARIOS[name].right, "undecided"}
    if "15" in name:  # some also lose between the answer position's first block and the answer
        right.add("not_verbalised")
    found = Counter(row["verdict"] for row in rows)
    assert set(found) <= right and found["undecided"] <= 2, found
    for row in rows:
        assert row["why"] and row["position_first_address"] == "lm.0/last"
        assert row["lm_last_address"] == "lm.norm/referent_center"
        if row["verdict"] in TITLES:
            first, second = row["loss_first"], row["loss_second"]
            assert row["loss"] == row[f"{first}_value"] - row[f"{second}_value"] > 0.1
            assert row["partly"] == (row["sighted_value"] - row["blind_value"] > 0.15)


def test_partial_losses_are_stated_for_used_skills(tmp_path):
    rows = decided(tmp_path, "chain: retrieved in part", 250, 3)
    assert all(row["partly"] and row["why"].startswith("Not retrieved in part") for row in rows)
    rows = decided(tmp_path / "all", "chain: not retrieved", 250, 3)
    assert not any(row["partly"] or "in part" in row["why"] for row in rows)


CASES = [
    (chain(0.97, 0.97, 0.97, 0.97, 0.95), "used", None),
    (chain(0.97, 0.7, 0.7, 0.4, 0.4), "not_retrieved", "lm_best"),  # the larger of two losses
    (chain(0.97, 0.6, 0.6, 0.4, 0.4), "lost_in_connector", "encoder"),
    (chain(0.97, 0.97, 0.6, 0.6, 0.5), "lost_in_lm", "connector"),
    (chain(0.97, 0.97, 0.97, 0.4, 0.4, lm_last=0.45), "lost_in_lm", "lm_best"),  # before
    (chain(0.97, 0.97, 0.97, 0.95, 0.4, lm_last=0.4), "not_verbalised", "position_best"),  # after
    (chain(0.97, 0.97, 0.97, 0.97, 0.6), "not_verbalised", "position_best"),
    # information that a later stage has was not lost
    (chain(0.97, 0.5, 0.95, 0.95, 0.95), "used", None),
    (chain(0.97, 0.97, 0.95, 0.5, 0.95), "used", None),
    (chain(0.97, 0.97, 0.97, 0.95, 0.95, lm_last=0.3), "used", None),
    (chain(0.95, 0.26, 0.8, 0.3, 0.3), "not_retrieved", "lm_best"),  # most of it is recovered
    (chain(0.98, 0.26, 0.62, 0.6, 0.11), "lost_in_connector", "encoder"),  # part of it is recovered
    # information that was never there is not lost
    (chain(0.1, 0.1, 0.25, 0.1, 0.1), "not_encoded", None),
    (chain(0.26, 0.26, 0.26, 0.8, 0.26), "not_verbalised", "position_best"),  # from another source
    (chain(0.5, 0.5, 0.5, 0.26, 0.26), "not_encoded", None),  # more is missing than lost
    (chain(0.5, 0.26, 0.26, 0.26, 0.26), "lost_in_connector", "encoder"),
    (chain(0.5, 0.5, 0.5, 0.36, 0.36), "not_retrieved", "lm_best"),  # the remainder is used
    (chain(0.4, 0.4, 0.4, 0.4, 0.4), "used", None),
]


@pytest.mark.parametrize(("values", "expected", "first"), CASES)
def test_the_step_with_the_largest_loss_determines_the_class(values, expected, first):
    found = numbers(values, probed=True)
    rule = decide(found, BAR)
    assert rule.verdict == expected
    if first:
        assert COMPARISONS[loss_of(found, rule, BAR).test][0] == first
    elif expected == "used":
        assert not shown_losses(found, BAR)
        assert (largest_drop(found) or (0, 0, 0))[2] < 0.1


def test_holding_little_requires_probes_and_an_answer_without_it():
    little = chain(0.45, 0.45, 0.45, 0.26, 0.26)
    assert decide(numbers(little, probed=True), BAR).name == "hardly encoded"
    assert decide(numbers(little), BAR).verdict == "not_retrieved"
    for answer, reach in ((0.34, 0.02), (0.3, 0.06)):
        found = numbers(little | {"sighted": answer}, probed=True, reach=reach)
        assert decide(found, BAR).verdict == "undecided"


def test_image_tokens_hold_information_that_is_not_retrieved_if_blind_answers_are_equal():
    found = numbers(chain(0.97, 0.97, 0.97, 0.26, 0.26), changed=0.02, probed=True)
    assert decide(found, BAR).name == "never looked at"
    found = numbers(chain(0.97, 0.4, 0.4, 0.26, 0.26), changed=0.02, probed=True)
    assert decide(found, BAR).verdict == "lost_in_connector"
    found = numbers(chain(0.26, 0.26, 0.26, 0.26, 0.26), changed=0.02, probed=True)
    assert decide(found, BAR).name == "says the same blind"


def test_information_lost_in_the_connector_is_not_held_by_the_language_model():
    """Even without an image, tokens at an object encode its position, and thus partly its size."""
    lost = chain(0.97, 0.26, 0.4, 0.26, 0.26)
    assert decide(numbers(lost, changed=0.02, probed=True), BAR).name == "says the same blind"
    assert decide(numbers(lost, changed=0.5, probed=True), BAR).verdict == "lost_in_connector"
    found_again = chain(0.97, 0.26, 0.9, 0.26, 0.26)
    assert decide(numbers(found_again, changed=0.02, probed=True), BAR).verdict == "not_retrieved"


def skill_of(values: dict[str, float]) -> Skill:
    """Return a skill for sentences, whose numbers come from the findings."""
    stages = {stage: StageEvidence(np.zeros(4), stage, "probe", 0.25) for stage in values}
    return Skill("d", "s", "question", "", np.arange(4).astype(str), 0.25, stages)


@pytest.mark.parametrize("probed", [True, False])
@pytest.mark.parametrize("reach", [0.02, 0.2])
def test_for_any_numbers_exactly_one_class_applies_without_false_statements(probed, reach):
    names, rng = (*WAY, "lm_last", "blind"), generator("any numbers", probed, reach)
    seen = set()
    for _ in range(2500):
        draw = rng.choice([0, 0.1, 0.26, 0.45, 0.6, 0.8, 0.97], size=len(names))
        values = {k: v for k, v in zip(names, draw.tolist(), strict=True) if v > 0}
        found = numbers(values, reach=reach, probed=probed, changed=rng.choice([0.02, 0.5]))
        if not {"sighted", "blind"} <= set(values):
            found = replace(found, changed=None)
        rule, shown = decide(found, BAR), facts(found, BAR)
        seen.add(rule.verdict)
        assert why(skill_of(values), found, rule, BAR, None).endswith(".")
        if rule.verdict == "not_encoded":
            assert not shown["answer has it"]
            assert all(values.get(stage, 0) < 0.7 for stage in WAY)
        if rule.verdict in TITLES:
            loss = loss_of(found, rule, BAR)
            first, second = COMPARISONS[loss.test]
            assert BAR.has(found.estimates[first])
            later = [values[stage] for stage in (second, *loss.later) if stage in values]
            assert values[first] - max(later) >= 0.1 - 1e-9
        if rule.verdict == "used":
            assert shown["answer above blind"] and not shown["lost on the way"]
    expected = set(CLASSES) - {"encoded"}
    assert seen == expected if reach == 0.02 else seen <= expected


@pytest.mark.parametrize("n", [60, 250])
def test_without_a_planted_signal_no_class_claims_a_loss(n):
    """Here, 200 skills have uninformative features and random answers."""
    decided_now = apply_rules(skills_of("chain: sees nothing", n, 0, 200), "vlm", BAR)
    found = Counter(rule.verdict for _, _, rule in decided_now)
    free = found["prior"] + found["undecided"] + found["not_encoded"]
    assert found.total() == 200 and free >= 198, found  # alpha is 0.01
