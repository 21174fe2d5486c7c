import numpy as np
import pytest

from eyechart.core.errors import UserError
from eyechart.statistics.splits import check_groups, grouped_folds, usable


def _examples(n=300, k=4, seed=0):
    rng = np.random.default_rng(seed)
    groups = np.array([f"g{i}" for i in rng.integers(0, 60, n)])
    return groups, rng.integers(0, k, n)


def test_folds_never_divide_a_group():
    groups, y = _examples()
    fold = grouped_folds(groups, y, 5, 7, "t")
    for group in np.unique(groups):
        assert len(np.unique(fold[groups == group])) == 1


def test_folds_are_even_in_size_and_hold_every_class():
    groups, y = _examples()
    fold = grouped_folds(groups, y, 5, 7, "t")
    sizes = np.bincount(fold)
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() <= 10
    for f in range(5):
        assert set(y[fold == f]) == {0, 1, 2, 3}


def test_a_class_with_as_many_examples_as_folds_is_learnt_in_every_fold():
    y = np.array([0] * 95 + [1] * 5)
    fold = grouped_folds(np.arange(100).astype(str), y, 5, 7, "t")
    assert sorted(fold[y == 1]) == [0, 1, 2, 3, 4]


def test_folds_follow_names_not_row_order_and_change_with_the_seed():
    groups, y = _examples()
    fold = grouped_folds(groups, y, 5, 7, "t")
    order = np.random.default_rng(1).permutation(len(y))
    assert (grouped_folds(groups[order], y[order], 5, 7, "t") == fold[order]).all()
    assert (grouped_folds(groups, y, 5, 8, "t") != fold).any()


GROUPS = np.array(list("aabbccddeeffgghhiijj"))
TRAIN = np.arange(20) < 10


@pytest.mark.parametrize(
    ("labels", "train", "sentence"),
    [
        ("", TRAIN[:0], "no class is in at least 3 training groups"),
        ("a" * 20, TRAIN, "only one class is in at least 3 training groups"),
        ("ab" * 10, np.arange(20) < 12, "4 groups are in the test set, expected at least 5"),
        ("ab" * 10, TRAIN, ""),
    ],
)
def test_a_split_that_cannot_be_probed_is_refused_in_one_sentence(labels, train, sentence):
    found = usable(np.array(list(labels), np.str_), GROUPS[: len(labels)], train, folds=3).refusal
    assert found.startswith(sentence)
    assert bool(found) == bool(sentence)


def test_classes_in_fewer_training_groups_than_folds_are_omitted_and_counted():
    labels = np.array(list("ab" * 10))
    labels[[4, 5, 6, 7]] = "c"  # four examples in two groups of the training set
    labels[12] = "d"  # only in the test set
    found = usable(labels, GROUPS, TRAIN, 3)
    assert found.kept.tolist() == [label in "ab" for label in labels]
    assert found.left_out == {"c": 4, "d": 1}
    assert found.refusal == ""


def test_a_group_in_both_sets_is_refused():
    check_groups(GROUPS, TRAIN, "f: t")
    with pytest.raises(
        UserError, match=r"^f: t: group 'e' is in both training and test \(1 in all\)"
    ):
        check_groups(GROUPS, np.arange(20) < 9, "f: t")
