"""The number of items that would decide a skill, and accuracies shrunk towards their mean."""

from dataclasses import replace

import numpy as np
import pytest
from verdict_fixture import skills_of

from eyechart.core.randomness import generator
from eyechart.statistics.pooling import pool_shares
from eyechart.statistics.sign_flip import sign_flip_exact, sign_flip_normal
from eyechart.verdict.evidence import Skill, StageEvidence
from eyechart.verdict.outlook import items_needed, repeated
from eyechart.verdict.rules import VerdictThresholds
from eyechart.verdict.table import FEW, apply_rules, rows

BAR = VerdictThresholds(alpha=0.01, margin=0.1)


def asked(sighted: float, blind: float, n: int = 40, band: str = "six", name: str = "s") -> Skill:
    """Return a skill with only responses, which are right on the given shares of its items."""
    stages = {
        stage: StageEvidence((order < round(share * n)).astype(float), "", "answer", 0.25)
        for stage, share, order in (
            ("sighted", sighted, np.arange(n)),
            ("blind", blind, np.arange(n)[::-1]),  # right on other items
        )
    }
    groups = np.char.add(name, np.arange(n).astype(str))
    return Skill("d", name, band, "", groups, 0.25, stages, np.ones(n))


def test_the_number_of_needed_items_falls_with_the_effect_and_is_null_without_one():
    needed = [items_needed(asked(0.25 + gap, 0.25), "vlm", BAR) for gap in (0.125, 0.15, 0.2)]
    assert needed[0] > needed[1] > needed[2] > 40
    assert items_needed(asked(0.25, 0.25), "vlm", BAR) is None
    assert items_needed(asked(0.30, 0.25), "vlm", BAR) is None, "below the margin"


def test_with_the_items_needed_the_skill_is_decided_and_with_fewer_it_is_not():
    skill = asked(0.425, 0.25)
    needed = items_needed(skill, "vlm", BAR)
    for times in (2, 3, 4):
        more = repeated(skill, times, {"": np.unique(skill.groups)})
        ((_, _, rule),) = apply_rules([more], "vlm", BAR)
        assert needed == 160 and (rule.verdict == "used") == (times * 40 == needed)


def test_needed_is_reproducible_and_written_only_for_undecided_skills():
    found = [
        asked(0.425, 0.25),
        replace(asked(0.95, 0.25), name="t"),
        *skills_of("works", 36, 3, 4),
    ]
    once, again = (rows(found, "m", "vlm", None, BAR)[1] for _ in range(2))
    assert once == again
    for row in once:
        assert row["verdict"] == "undecided" or row["needed"] is None
        if row["needed"]:
            assert f"about {row['needed']} items would decide it" in row["why"]
    assert {row["skill"]: row["needed"] for row in once}["s"] > 40


@pytest.mark.parametrize("times", [2, 2.5, 16])
def test_a_repeated_skill_keeps_its_accuracies_and_complete_groups(times):
    (skill,) = skills_of("retrieved in part", 120, 0, 1, size=3)
    other = StageEvidence(np.arange(50) % 2 * 1.0, "e", "answer", 0.5, np.arange(50).astype(str))
    skill = replace(skill, stages=skill.stages | {"alone": other})
    orders = {
        "": generator("o").permutation(np.unique(skill.groups)),
        "alone": np.unique(other.groups),
    }
    more = repeated(skill, times, orders)
    assert len(np.unique(more.groups)) == times * 40 and len(more.groups) == times * 120
    assert np.unique(more.groups, return_counts=True)[1].tolist() == [3] * round(times * 40)
    for name, stage in more.stages.items():
        at = abs(stage.right.mean() - skill.stages[name].right.mean())
        assert at < (1e-9 if times % 1 == 0 else 0.07), name
    assert len(more.changed) == len(more.groups) and more.stages["alone"].groups is not None


def test_for_many_groups_the_normal_p_equals_the_exact_one():
    rng = generator("normal flips")
    for share in (0.56, 0.58, 0.62):
        first, second = (rng.random(600) < share).astype(float), (rng.random(600) < 0.5) * 1.0
        groups = np.arange(600).astype(str)
        exact = sign_flip_exact(first, second, groups, 48)
        assert sign_flip_normal(first, second, groups) == pytest.approx(exact, abs=0.01)
    assert sign_flip_normal(first, first, groups) == 1


# Pooling


def drawn(rng: np.random.Generator, k: int, a: float, b: float) -> tuple[np.ndarray, ...]:
    """Return true shares of k groups from a beta distribution, correct items and items."""
    n, truth = rng.integers(14, 50, size=k), rng.beta(a, b, size=k)
    return truth, rng.binomial(n, truth).astype(float), n


@pytest.mark.parametrize(("k", "a", "b"), [(9, 6, 4), (9, 30, 20)])
def test_pooled_shares_are_nearer_to_the_truth_than_raw_ones_and_intervals_cover(k, a, b):
    rng, raw, pooled, inside = generator("pooling", k, a), [], [], []
    for _ in range(200):
        truth, right, n = drawn(rng, k, a, b)
        value, low, high = pool_shares(right, n).T
        raw.append(((right / n - truth) ** 2).mean())
        pooled.append(((value - truth) ** 2).mean())
        inside.append(((low <= truth) & (truth <= high)).mean())
    assert np.mean(pooled) < 0.95 * np.mean(raw)
    assert np.mean(inside) >= 0.9


def test_pooling_is_the_posterior_mean_of_the_beta_distribution_that_was_drawn_from():
    """With many groups, the distribution is known, and Bayes' rule gives the estimate."""
    truth, right, n = drawn(generator("many groups"), 300, 6, 4)
    found = pool_shares(right, n)
    assert found[:, 0] == pytest.approx((6 + right) / (10 + n), abs=0.02)
    inside = ((found[:, 1] <= truth) & (truth <= found[:, 2])).mean()
    assert inside == pytest.approx(0.95, abs=0.01)


def test_equal_shares_are_pooled_and_different_ones_stay_separate():
    n = np.full(6, 40)
    alike = pool_shares(np.array([18, 22, 20, 19, 21, 20.0]), n)
    assert np.ptp(alike[:, 0]) < 0.4 * (22 - 18) / 40
    assert np.ptp(pool_shares(np.full(6, 20.0), n)[:, 0]) < 1e-9
    apart = pool_shares(np.array([2, 38, 2, 38, 2, 38.0]), n)
    assert apart[:, 0] == pytest.approx(np.tile([0.05, 0.95], 3), abs=0.03)
    assert (pool_shares(np.full(6, 40.0), n)[:, 1:] > 0.9).all() and (apart[:, 2] <= 1).all()


def test_patterns_with_few_items_are_pooled_and_no_other_skill_is():
    shares = (0.4, 0.5, 0.6, 0.9)
    few = [asked(share, 0.25, 30, "pattern", f"p{i}") for i, share in enumerate(shares)]
    many = asked(0.5, 0.25, FEW, "pattern", "many")
    found = {r["skill"]: r for r in rows([*few, many, asked(0.5, 0.25)], "m", "vlm", None, BAR)[1]}
    assert all("pooled" not in found[name] for name in ("many", "s"))
    values = [found[f"p{i}"]["pooled"] for i in range(4)]
    assert 0.4 < values[0] < values[1] < values[2] < values[3] < 0.9
    assert all(
        found[f"p{i}"]["pooled_low"] < v < found[f"p{i}"]["pooled_high"]
        for i, v in enumerate(values)
    )
    assert all("pooled" not in row for row in rows(few[:2], "m", "vlm", None, BAR)[1]), "too few"
