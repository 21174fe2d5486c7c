"""Candidate search with faiss: pairs found are exact and unique, and recall is measured."""

import json

import numpy as np
import pytest
from mining_fixture import brute_force, planted, unit

from eyechart.core.errors import UserError
from eyechart.mining import cells as module
from eyechart.mining.cells import Cells, divide, needed_probes
from eyechart.mining.search import search

ASK = {"similar": 0.95, "different": 0.6, "block": 512, "most": 5000}


def found_by(cells, features, ask=ASK):
    found = search(features, ask, cells.blocks(ask["block"]), cells.left_out)
    return list(zip(found.best["i"].tolist(), found.best["j"].tolist(), strict=True)), found


def test_planted_pairs_among_20000_are_found_at_the_stated_recall():
    first, second, wanted = planted(20_000, (64, 48), 1500, 0)
    cells = divide(first, 0.95, 0.99)
    pairs, found = found_by(cells, (first, second))
    assert set(pairs) <= wanted
    assert len(pairs) == len(set(pairs)) == found.matching
    assert len(pairs) / len(wanted) >= 0.99  # the planted cosines are above the threshold
    note = cells.note
    assert 0.99 <= note["found"] / note["planted"] <= 1
    assert note["low"] <= note["found"] / note["planted"] <= note["high"]
    assert note["probes"] < note["cells"] / 4


@pytest.mark.parametrize("seed", range(8))
def test_with_all_cells_searched_every_pair_is_found_once(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 150))
    first, second = (unit(rng.standard_normal((n, 5))) for _ in range(2))
    expected = brute_force(first, second, 0.2, 0.5)
    count = int(rng.integers(1, 9))
    near = np.argsort(rng.random((n, count)), axis=1).astype(np.int32)
    for block in (3, 1000):
        ask = {"similar": 0.2, "different": 0.5, "block": block, "most": 10**6}
        pairs, found = found_by(Cells(near, {}), (first, second), ask)
        assert pairs == expected
        assert found.matching == len(expected)


@pytest.mark.parametrize("seed", range(8))
def test_a_pair_is_found_if_the_cell_of_one_is_near_the_other(seed):
    rng = np.random.default_rng(seed)
    n, count, probes = 120, 12, int(rng.integers(1, 6))
    first, second = (unit(rng.standard_normal((n, 5))) for _ in range(2))
    near = np.argsort(rng.random((n, count)), axis=1)[:, :probes].astype(np.int32)
    wanted = [
        (i, j)
        for i, j in brute_force(first, second, 0.2, 0.5)
        if near[i, 0] in near[j] or near[j, 0] in near[i]
    ]
    ask = {"similar": 0.2, "different": 0.5, "block": 7, "most": 10**6}
    pairs, _ = found_by(Cells(near, {}), (first, second), ask)
    assert pairs == wanted
    assert wanted


def test_less_similar_pairs_need_more_cells():
    rng = np.random.default_rng(0)
    first, cells = (unit(rng.standard_normal((n, 32))) for n in (500, 20))
    alike, near, far = (needed_probes(first, cells, cosine, "x") for cosine in (1.0, 0.9, 0.0))
    assert near.shape == (module.PLANTED,)
    assert (alike == 1).all()  # vectors with cosine 1 are in the same cell
    assert 1 <= near.min() < near.max() <= 20
    assert near.mean() < far.mean()


def test_a_recall_that_needs_too_many_cells_is_refused(monkeypatch):
    monkeypatch.setattr(module, "MOST_PROBES", 2)
    first = unit(np.random.default_rng(0).standard_normal((3000, 64)))
    with pytest.raises(UserError, match=r"^mining.recall: 0.999 needs \d+ of 109 cells per image"):
        divide(first, 0.8, 0.999)


def test_equal_features_give_equal_cells():
    first, _, _ = planted(4000, (32, 8), 20, 3)
    one, two = (divide(first, 0.95, 0.9) for _ in range(2))
    assert (one.near == two.near).all()
    assert json.dumps(one.note) == json.dumps(two.note)


def test_a_single_image_has_no_pairs():
    first, second = np.float32([[1, 0]]), np.float32([[1, 0]])
    pairs, found = found_by(divide(first, 0.95, 0.99), (first, second))
    assert (pairs, found.matching) == ([], 0)
