import numpy as np
import pytest
from scipy import stats

from eyechart.probing.controls import type_labels


def _examples(n=2000, types=400):
    rng = np.random.default_rng(0)
    y = rng.choice(4, n, p=[0.5, 0.3, 0.15, 0.05])
    return (
        [f"i{i:05d}" for i in range(n)],
        y,
        np.array([f"t{i}" for i in rng.integers(0, types, n)]),
    )


def test_a_type_has_one_label_in_training_and_test():
    _, y, types = _examples()
    labels = type_labels(types, y, 7, "t")
    for t in np.unique(types):
        assert len(np.unique(labels[types == t])) == 1


@pytest.mark.parametrize("types", [12, 40, 400])
def test_type_labels_have_the_tasks_shares_even_with_few_types(types):
    # if drawn independently, labels of 12 types would have a majority share between 1/3 and 1
    _, y, types = _examples(types=types)
    largest = np.unique(types, return_counts=True)[1].max() / len(y)
    for seed in range(20):
        labels = type_labels(types, y, seed, "t")
        difference = (np.bincount(labels, minlength=4) - np.bincount(y)) / len(y)
        assert abs(difference).max() <= 1.5 * largest


def test_every_class_can_get_every_type():
    _, y, types = _examples(types=12)
    drawn = np.array([type_labels(types, y, seed, "t") for seed in range(300)])
    shares = [(drawn[:, types == t][:, 0] == 0).mean() for t in np.unique(types)]
    assert min(shares) > 0.35 and max(shares) < 0.65  # half of the examples have class 0


def test_type_labels_are_independent_of_the_task():
    _, y, _ = _examples()
    types = np.arange(2000).astype(str)
    labels = type_labels(types, y, 7, "t")
    assert stats.chi2_contingency(np.histogram2d(y, labels, bins=4)[0]).pvalue > 0.001


def test_controls_change_with_the_seed_and_the_task():
    _, y, types = _examples()
    for seed, task in ((8, "t"), (7, "u")):
        assert (type_labels(types, y, seed, task) != type_labels(types, y, 7, "t")).any()
