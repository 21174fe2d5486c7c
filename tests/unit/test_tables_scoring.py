"""Scores from stored numbers; ties are drawn so that exact tests stay valid."""

import numpy as np
import pytest
from scipy import stats

from eyechart.core.errors import UserError
from eyechart.statistics.testing import mcnemar_exact
from eyechart.tables.choice_scoring import TIE, choose, score


def test_each_scoring_is_its_formula():
    numbers = [-2.0, -6.0], [1, 4], [-1.0, -7.0]
    assert score("sum", *numbers) == score("letter", *numbers) == [-2, -6]
    assert score("mean", *numbers) == [-2, -1.5]
    assert score("pmi", *numbers) == [-1, 1]
    with pytest.raises(UserError, match="scoring: 'pmi'"):
        score("pmi", [-1.0], [1])


@pytest.mark.parametrize("gap", [0, 7e-15, 5e-6])
def test_scores_within_rounding_are_drawn_evenly(gap):
    chosen = [choose([-1.0 - gap, -3.0, -1.0, -1.0], f"item {n}", 0) for n in range(900)]
    counts = np.bincount(chosen, minlength=4)
    assert counts[1] == 0
    assert (counts[[0, 2, 3]] > stats.binom.ppf(1e-4, 900, 1 / 3)).all()


def test_a_clear_difference_is_never_drawn_and_ties_are_reproducible():
    assert {choose([-1 - 2 * TIE, -1], f"item {n}", 0) for n in range(50)} == {1}
    for n in range(50):  # the same for two conditions, and if all scores are shifted
        assert choose([-1.0] * 3, f"item {n}", 1) == choose([-9.0] * 3, f"item {n}", 1)
    assert len({choose([0.0] * 4, "item", order) for order in range(20)}) == 4


def test_a_guesser_compared_with_ties_keeps_the_level_of_the_test():
    """A quarter point per tie would never lose, so the test would always reject."""
    rng = np.random.default_rng(0)
    drawn, shared = [], []
    for run in range(200):
        truth, guess = rng.integers(4, size=(2, 60))
        names = [f"{run} {n}" for n in range(60)]
        ties = np.array([choose([0.0] * 4, name, 0) for name in names])
        groups = np.arange(60)
        drawn.append(mcnemar_exact((guess == truth) * 1, (ties == truth) * 1, groups))
        shared.append(mcnemar_exact((guess == truth) * 4, np.ones(60), groups))
    assert (np.array(drawn) < 0.05).sum() <= stats.binom.ppf(0.999, 200, 0.05)
    assert (np.array(shared) < 0.05).mean() > 0.9
