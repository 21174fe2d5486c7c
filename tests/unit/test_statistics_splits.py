import numpy as np
import pytest

from eyechart.core.errors import UserError
from eyechart.statistics.splits import check_split, grouped_folds


def _examples(n=300, k=4, seed=0):
    rng = np.random.default_rng(seed)
    groups = np.array([f"g{i}" for i in rng.integers(0, 60, n)])
    return groups, rng.integers(0, k, n)


def test_folds_never_part_a_group():
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


def _check(y, groups, train, folds=3):
    classes = [f"c{i}" for i in range(int(max(y)) + 1)]
    check_split(np.array(y), classes, np.array(groups), np.array(train), folds=folds, where="f: t")


GROUPS = list("aabbccddeeff")
TRAIN = [True] * 8 + [False] * 4


@pytest.mark.parametrize(
    ("y", "groups", "train", "sentence"),
    [
        ([0, 1] * 6, GROUPS, [False] * 12, "the training part is empty"),
        ([0, 1] * 6, GROUPS, [True] * 12, "the test part is empty"),
        ([0, 1] * 6, [*"aabbccddaaff"], TRAIN, "group 'a' is in training and test"),
        ([0] * 12, GROUPS, TRAIN, "a single class 'c0'"),
        ([0] * 8 + [0, 1] * 2, GROUPS, TRAIN, "class 'c1' is absent from training"),
        ([0] * 6 + [1] * 6, GROUPS, TRAIN, "class 'c1' has 2 training examples"),
        ([0, 1] * 6, [*"aaaabbbbeeff"], TRAIN, "2 training groups, expected at least 3"),
    ],
)
def test_a_split_that_cannot_be_probed_is_refused_in_one_sentence(y, groups, train, sentence):
    with pytest.raises(UserError, match=f"^f: t: {sentence}"):
        _check(y, groups, train)


def test_a_sound_split_is_accepted():
    _check([0, 1] * 6, GROUPS, TRAIN)
