import numpy as np
from scipy import stats

from eyechart.probing.controls import permuted_labels, type_labels


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
    labels = type_labels(types, y, np.arange(2000) < 1000, 7, "t")
    for t in np.unique(types):
        assert len(np.unique(labels[types == t])) == 1


def test_type_labels_follow_the_training_labels_frequencies():
    _, y, _ = _examples()
    types = np.arange(2000).astype(str)
    train = np.arange(2000) < 1000
    counts = np.bincount(type_labels(types, y, train, 7, "t"), minlength=4)
    expected = np.bincount(y[train], minlength=4) * 2
    assert stats.chisquare(counts, expected).pvalue > 0.001


def test_type_labels_know_nothing_of_the_task():
    _, y, _ = _examples()
    types = np.arange(2000).astype(str)
    labels = type_labels(types, y, np.ones(2000, bool), 7, "t")
    assert stats.chi2_contingency(np.histogram2d(y, labels, bins=4)[0]).pvalue > 0.001


def test_permutation_keeps_the_counts_and_breaks_the_link():
    ids, y, _ = _examples()
    labels = permuted_labels(ids, y, 7, "t")
    assert (np.bincount(labels) == np.bincount(y)).all()
    assert stats.chi2_contingency(np.histogram2d(y, labels, bins=4)[0]).pvalue > 0.001


def test_controls_change_with_the_seed_and_the_task():
    ids, y, types = _examples()
    train = np.ones(2000, bool)
    for seed, task in ((8, "t"), (7, "u")):
        assert (
            type_labels(types, y, train, seed, task) != type_labels(types, y, train, 7, "t")
        ).any()
        assert (permuted_labels(ids, y, seed, task) != permuted_labels(ids, y, 7, "t")).any()


def test_a_types_label_does_not_depend_on_which_other_types_there_are():
    _, y, types = _examples()
    train = np.ones(2000, bool)
    whole = type_labels(types, y, train, 7, "t")
    shown = np.char.startswith(types, "t1")
    padded = np.where(shown, types, "other")
    assert (type_labels(padded, y, train, 7, "t")[shown] == whole[shown]).all()
