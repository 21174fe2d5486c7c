import numpy as np
import pytest
from scipy import stats

from eyechart.statistics.bootstrap import bootstrap_interval
from eyechart.statistics.components import connected
from eyechart.statistics.resample import Resampled, mean, per_unit
from eyechart.statistics.testing import (
    benjamini_hochberg,
    mcnemar_exact,
    sign_test,
    two_proportion_z,
)


def test_z_test_gives_the_p_value_that_vlm_lens_publishes():
    # 1709 and 875 right of 2655 reproduce the p-value of its sample output
    z, p = two_proportion_z(1709, 2655, 875, 2655)
    assert z == pytest.approx(22.898, abs=5e-4)
    assert p == pytest.approx(4.8257723322914694e-116, rel=1e-9)


@pytest.mark.parametrize("right", [0, 40])
def test_z_test_without_spread_is_not_significant(right):
    assert two_proportion_z(right, 40, right, 40) == (0.0, 1.0)


def test_mcnemar_is_the_exact_binomial_test_on_discordant_pairs():
    rng = np.random.default_rng(0)
    for n in (5, 30, 200):
        first, second = rng.random((2, n)) < [[0.7], [0.5]]
        only_first, only_second = (first & ~second).sum(), (second & ~first).sum()
        expected = stats.binomtest(int(only_first), int(only_first + only_second)).pvalue
        alone = np.arange(n)
        assert mcnemar_exact(first, second, alone) == pytest.approx(expected, rel=1e-9)
        assert mcnemar_exact(first, second, alone) == mcnemar_exact(second, first, alone)


def test_mcnemar_is_not_impressed_by_an_item_that_is_asked_again_and_again():
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
        correct = np.repeat(rng.random(80) < 0.7, 5)[None]  # a whole group is right or wrong
        for name, units in (("grouped", groups), ("by item", np.arange(400).astype(str))):
            low, high = bootstrap_interval(correct, units, 200, rng)[0]
            covered[name] += low <= 0.7 <= high
    assert covered["grouped"] >= stats.binom.ppf(0.001, 200, 0.93)
    assert covered["by item"] < 150, "resampling items would claim far too much"


def test_interval_of_a_perfect_probe_is_a_point():
    groups = np.array(["a", "a", "b", "c"])
    interval = bootstrap_interval(np.ones((2, 4), bool), groups, 50, np.random.default_rng(0))
    assert interval.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_all_intervals_of_one_generator_rest_on_the_same_draws_of_groups():
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


def test_rows_that_share_a_key_directly_or_not_are_connected():
    keys = [["b"], ["a", "c"], ["d"], ["c", "b"], ["e", "d"]]
    assert connected(keys).tolist() == [0, 0, 1, 0, 1]
    assert connected([]).tolist() == []
