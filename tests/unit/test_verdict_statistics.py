"""Intervals cover even with few items or few groups; the best address has no optimistic bias."""

import numpy as np
import pytest

from eyechart.core.randomness import generator
from eyechart.statistics.best_address import cross_fitted
from eyechart.statistics.intervals import paired_interval, share_interval, unpaired_interval
from eyechart.statistics.sign_flip import sign_flip_exact
from eyechart.statistics.testing import holm, mcnemar_exact
from eyechart.verdict.evidence import StageEvidence, compare

DRAWS = 500


def groups_of(n: int, size: int) -> np.ndarray:
    return (np.arange(n) // size).astype(str)


@pytest.mark.parametrize(("n", "size", "p"), [(30, 1, 0.25), (30, 1, 0.95), (60, 2, 0.5),
                                              (400, 1, 0.5), (400, 8, 0.3)])  # fmt: skip
def test_the_interval_of_a_share_covers_95_percent(n, size, p):
    rng = generator("coverage", n, size)
    groups = groups_of(n, size)
    inside = 0
    for _ in range(DRAWS):
        ease = rng.beta(8 * p, 8 * (1 - p), size=n // size) if size > 1 else np.full(n, p)
        right = rng.random(n) < np.repeat(ease, size)
        low, high = share_interval(right.astype(float), groups)
        inside += low <= p <= high
    assert inside / DRAWS >= 0.93  # 95% minus two standard errors of this test


@pytest.mark.parametrize("n", [30, 400])
def test_the_interval_of_a_paired_difference_covers_95_percent(n):
    rng = generator("paired coverage", n)
    inside = 0
    for _ in range(DRAWS):
        ease = rng.random(n)
        first, second = ((ease + 0.5 * rng.random(n) < t).astype(float) for t in (0.9, 0.7))
        low, high = paired_interval(first, second, groups_of(n, 1))
        inside += low <= under(0.9) - under(0.7) <= high
    assert inside / DRAWS >= 0.93


def under(t: float) -> float:
    """Return P(a + b / 2 < t) for uniform a and b, where t is between 0.5 and 1."""
    return t - 0.25


def test_the_interval_of_all_right_answers_is_not_a_point():
    for n in (3, 8, 30):
        low, high = share_interval(np.ones(n), groups_of(n, 1))
        assert high == 1 and low < 1 - 1 / n
        low, high = paired_interval(np.ones(n), np.ones(n), groups_of(n, 1))
        assert low < -1 / n < 1 / n < high


def test_items_of_one_group_do_not_count_as_many():
    right = np.repeat([1.0, 0.0, 1.0, 0.0, 1.0, 1.0], 20)
    width = {size: np.diff(share_interval(right, groups_of(120, size)))[0] for size in (1, 20)}
    assert width[20] > 2 * width[1]


def test_two_samples_on_different_items_differ_rarely_by_chance_and_surely_by_much():
    rng = generator("unpaired_interval")
    low = [
        unpaired_interval(*(x for _ in range(2) for x in (rng.random(40) < 0.6, groups_of(40, 2))))[
            2
        ]
        for _ in range(DRAWS)
    ]
    assert np.mean(np.array(low) < 0.05) < 0.07
    ends = unpaired_interval(np.ones(60), groups_of(60, 2), np.zeros(60), groups_of(60, 2))
    assert ends[0] > 0.6 and ends[1] <= 1 and ends[2] < 1e-6


def test_the_best_of_many_uninformative_addresses_is_at_chance():
    rng = generator("null")
    best, naive = [], []
    for _ in range(400):
        right = (rng.random((12, 60)) < 0.25).astype(float)
        best.append(cross_fitted(right, groups_of(60, 1), rng)[0].mean())
        naive.append(right.mean(1).max())
    error = np.std(best) / np.sqrt(len(best))
    assert abs(np.mean(best) - 0.25) < 3 * error
    assert np.mean(naive) > 0.33  # the result of choosing and scoring on the same items


def test_groups_are_never_on_both_sides_of_the_choice():
    rng = generator("sides")
    groups = groups_of(40, 4)
    for _ in range(20):
        # each candidate is right on half of the groups, so the choice reveals the half
        side = rng.permutation(10) < 5
        right = np.stack([side, ~side]).astype(float)[:, np.arange(40) // 4]
        found, _ = cross_fitted(right, groups, rng)
        assert all(len(set(found[groups == g])) == 1 for g in set(groups))


def test_a_clearly_best_address_is_chosen_in_both_halves_and_a_single_one_is_used():
    rng = generator("choice")
    right = (rng.random((5, 80)) < np.array([0.3, 0.3, 0.9, 0.3, 0.3])[:, None]).astype(float)
    found, chosen = cross_fitted(right, groups_of(80, 1), rng)
    assert chosen == [2] and (found == right[2]).all()
    found, chosen = cross_fitted(right[:1], groups_of(80, 1), rng)
    assert chosen == [0] and (found == right[0]).all()
    assert cross_fitted(right, groups_of(80, 80), rng)[1] == [4]  # a single group has no halves


def test_the_best_address_hardly_depends_on_the_draw():
    """With five equally good addresses, one split varies by eight points, the mean by two."""
    right = (generator("equal").random((5, 60)) < 0.5).astype(float)
    values = [cross_fitted(right, groups_of(60, 1), generator("draw", k))[0] for k in range(20)]
    means = [value.mean() for value in values]
    assert max(means) - min(means) < 0.03
    assert all((value >= 0).all() and (value <= 1).all() for value in values)


@pytest.mark.parametrize("seed", range(5))
def test_the_sign_flip_test_of_zeros_and_ones_equals_mcnemars(seed):
    rng = generator("sign flip", seed)
    first, second = ((rng.random(40) < t).astype(float) for t in (0.7, 0.5))
    groups = groups_of(40, 1)
    expected = mcnemar_exact(first, second, groups)
    assert sign_flip_exact(first, second, groups, 48) == pytest.approx(expected)
    assert sign_flip_exact(second, first, groups, 48) == pytest.approx(expected)
    assert sign_flip_exact(first, first, groups, 48) == 1


def test_the_sign_flip_test_counts_all_flips_of_the_groups():
    rng = generator("flips")
    first = rng.integers(0, 13, 24) / 12
    second = (rng.random(24) < 0.4).astype(float)
    groups = groups_of(24, 2)
    sums = (first - second).reshape(12, 2).sum(1)
    flips = np.array(np.meshgrid(*[[-1, 1]] * 12)).reshape(12, -1)
    expected = (np.abs(sums @ flips) >= abs(sums.sum()) - 1e-9).mean()
    assert sign_flip_exact(first, second, groups, 12) == pytest.approx(expected)


@pytest.mark.parametrize("size", [1, 5])
def test_the_sign_flip_test_rejects_a_true_null_at_its_level(size):
    rng = generator("null of flips", size)
    p = []
    for _ in range(DRAWS):
        ease = np.repeat(rng.beta(2, 2, 60), size)
        first, second = ((rng.random(60 * size) < ease).astype(float) for _ in range(2))
        p.append(sign_flip_exact(first, second, groups_of(60 * size, size), 48))
    assert np.mean(np.array(p) < 0.05) <= 0.07
    better = np.minimum(1, first + (rng.random(60 * size) < 0.5))
    assert sign_flip_exact(better, second, groups_of(60 * size, size), 48) < 0.001


@pytest.mark.parametrize(("first", "second"), [(12, 1), (3, 12)])
def test_a_test_of_the_best_of_several_addresses_keeps_its_level(first, second):
    """A test with a fixed choice rejects a true null in about 10% of cases at the 5% level."""
    rng, p, groups = generator("null of choices", first), [], groups_of(60, 1)
    for _ in range(400):
        stages = []
        for count in (first, second):
            each = (rng.random((count, 60)) < 0.25).astype(float)
            best = cross_fitted(each, groups, rng)[0]
            stages.append(StageEvidence(best, "", "readout", 0.25, candidates=each))
        p.append(compare(*stages, groups, rng).p)
    assert np.mean(np.array(p) < 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / len(p))
    assert np.mean(np.array(p) < 0.01) <= 0.01 + 2 * np.sqrt(0.01 * 0.99 / len(p))


def test_a_test_of_the_best_of_several_addresses_has_power():
    rng, groups = generator("choices that know"), groups_of(80, 1)
    each = (rng.random((6, 80)) < np.array([0.3, 0.3, 0.8, 0.3, 0.7, 0.3])[:, None]).astype(float)
    best = StageEvidence(cross_fitted(each, groups, rng)[0], "", "readout", 0.25, candidates=each)
    other = StageEvidence((rng.random(80) < 0.3).astype(float), "", "answer", 0.25)
    found = compare(best, other, groups, rng)
    assert found.p < 1e-4 and compare(other, best, groups, rng).p < 1e-4
    assert found.difference > 0.3
    same = compare(best, StageEvidence(best.right, "", "readout", 0.25, None), groups, rng)
    assert same.p > 0.05


def test_holm_corrects_each_p_by_the_remaining_hypotheses():
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.5, 0.9])) == pytest.approx([1, 1]) and not len(holm(np.array([])))
