import numpy as np
import pytest
from scipy import stats

from eyechart.statistics.bootstrap import bootstrap_interval
from eyechart.statistics.components import connected
from eyechart.statistics.resample import Resampled, mean, per_unit
from eyechart.statistics.testing import (
    benjamini_hochberg,
    mcnemar_exact,
    permutation_test,
    sign_test,
)


def _groups(n, size=1):
    return np.array([f"g{i // size:04d}" for i in range(n)])


def test_the_permutation_test_equals_fishers_if_both_are_exact():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 60)
    said = np.where(rng.random(60) < 0.3, truth, rng.integers(0, 2, 60))
    table = [[((said == i) & (truth == j)).sum() for j in (0, 1)] for i in (0, 1)]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    p, null = permutation_test(said[None], truth, _groups(60), np.random.default_rng(1))
    assert p[0] == pytest.approx(expected, abs=0.02)
    shares = [(said == c).mean() * (truth == c).mean() for c in (0, 1)]
    assert null[0] == pytest.approx(sum(shares), abs=0.005)


def test_a_constant_probe_is_not_significant():
    truth = np.array([0] * 45 + [1] * 5)
    p, null = permutation_test(np.zeros((1, 50), int), truth, _groups(50), np.random.default_rng(0))
    assert (p[0], null[0]) == (1.0, pytest.approx(0.9))


def test_a_planted_relation_is_found_and_items_of_a_group_are_not_independent():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 120)
    good = np.where(rng.random(120) < 0.5, truth, rng.integers(0, 3, 120))
    p, _ = permutation_test(good[None], truth, _groups(120), np.random.default_rng(1))
    assert p[0] < 0.001
    # four groups of thirty equal items, all right: like four coins
    truth, said = np.repeat([0, 1, 0, 1], 30), np.repeat([0, 1, 0, 1], 30)
    p, _ = permutation_test(said[None], truth, _groups(120, 30), np.random.default_rng(1))
    assert p[0] == pytest.approx(1 / 6, abs=0.02)  # one of 4! / (2! 2!) arrangements


@pytest.mark.parametrize("size", [1, 5])
def test_the_permutation_test_rejects_at_its_level_without_a_relation(size):
    rng, rejected = np.random.default_rng(3), 0
    for repetition in range(60):
        truth = np.repeat(rng.choice(3, 100 // size, p=[0.6, 0.3, 0.1]), size)
        said = np.repeat(rng.choice(3, (5, 100 // size), p=[0.7, 0.2, 0.1]), size, axis=1)
        draws = np.random.default_rng(repetition)
        p, _ = permutation_test(said, truth, _groups(100, size), draws)
        rejected += (p < 0.05).sum()
    low, high = stats.binom.ppf([0.0005, 0.9995], 300, 0.05)
    assert (low if size == 1 else 0) <= rejected <= high


def test_mcnemar_is_the_exact_binomial_test_on_discordant_pairs():
    rng = np.random.default_rng(0)
    for n in (5, 30, 200):
        first, second = rng.random((2, n)) < [[0.7], [0.5]]
        only_first, only_second = (first & ~second).sum(), (second & ~first).sum()
        expected = stats.binomtest(int(only_first), int(only_first + only_second)).pvalue
        alone = np.arange(n)
        assert mcnemar_exact(first, second, alone) == pytest.approx(expected, rel=1e-9)
        assert mcnemar_exact(first, second, alone) == mcnemar_exact(second, first, alone)


def test_repeating_an_item_does_not_change_mcnemars_test():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 50)) < [[0.7], [0.5]]
    once = mcnemar_exact(first, second, np.arange(50))
    again = mcnemar_exact(*(x.repeat(9) for x in (first, second, np.arange(50))))
    assert again == once


def test_mcnemar_without_discordant_pairs_is_not_significant():
    same = np.array([True, False, True])
    assert mcnemar_exact(same, same, np.arange(3)) == 1.0


def test_benjamini_hochberg_agrees_with_scipy_in_any_order():
    rng = np.random.default_rng(1)
    p = np.concatenate([rng.random(40), rng.random(10) * 1e-4, [0.02, 0.02, 1.0]])
    q = benjamini_hochberg(p)
    np.testing.assert_allclose(q, stats.false_discovery_control(p))
    order = rng.permutation(len(p))
    np.testing.assert_allclose(benjamini_hochberg(p[order]), q[order])


@pytest.mark.slow
def test_interval_covers_the_true_accuracy_when_items_of_a_group_agree():
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(80), 5).astype(str)
    covered = {"grouped": 0, "by item": 0}
    for _ in range(200):
        correct = np.repeat(rng.random(80) < 0.7, 5)[None]  # groups are all right or all wrong
        for name, units in (("grouped", groups), ("by item", np.arange(400).astype(str))):
            low, high = bootstrap_interval(correct, units, 200, rng)[0]
            covered[name] += low <= 0.7 <= high
    assert covered["grouped"] >= stats.binom.ppf(0.001, 200, 0.93)
    assert covered["by item"] < 150, "resampling items gives far too narrow intervals"


def test_interval_of_a_perfect_probe_is_a_point():
    groups = np.array([*"aabcdefghijkl"])
    interval = bootstrap_interval(np.ones((2, 13), bool), groups, 50, np.random.default_rng(0))
    assert interval.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_all_intervals_of_one_generator_share_the_group_draws():
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 20, 90).astype(str)
    right = rng.random((3, 90)) < 0.6
    by_accuracy = bootstrap_interval(right, groups, 300, np.random.default_rng(4))
    resampled = Resampled(groups, 300, np.random.default_rng(4))
    for row, (low, high) in zip(right, by_accuracy, strict=True):
        sums = per_unit(row.astype(float))
        assert resampled.interval(sums, np.arange(90), mean, False) == pytest.approx((low, high))


def test_the_sign_test_of_many_columns_is_the_binomial_test_of_each():
    rng = np.random.default_rng(5)
    values = rng.normal(0.4, 1, (40, 5))
    values[:, 4] = 0
    expected = [stats.binomtest(int((v > 0).sum()), int((v != 0).sum())).pvalue
                for v in values.T[:4]]  # fmt: skip
    found = sign_test(values, np.arange(40))
    assert found == pytest.approx([*expected, 1.0])


def test_rows_that_share_a_key_directly_or_indirectly_are_connected():
    keys = [["b"], ["a", "c"], ["d"], ["c", "b"], ["e", "d"]]
    assert connected(keys).tolist() == [0, 0, 1, 0, 1]
    assert connected([]).tolist() == []


@pytest.mark.parametrize("g", [1, 2, 5, 9])
def test_the_interval_of_few_groups_is_not_a_single_point(g):
    right = np.ones((1, 2 * g))
    ((low, high),) = bootstrap_interval(right, _groups(2 * g, 2), 200, np.random.default_rng(0))
    assert low < 0.9 - 0.3 / g
    assert high == 1
    many = bootstrap_interval(np.ones((1, 20)), _groups(20, 2), 200, np.random.default_rng(0))
    assert many.tolist() == [[1, 1]], "the bootstrap is used from ten groups on"
