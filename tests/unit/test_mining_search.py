"""Mining finds the same pairs as brute force for any block size, within its stated memory."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from mining_fixture import brute_force, planted, unit

from eyechart.mining import search as module
from eyechart.mining.search import all_blocks, memory_bound, rows_of, search

ASK = {"similar": 0.95, "different": 0.6, "block": 512, "most": 500}
STATED = """
from mining_fixture import planted
from eyechart.mining.search import memory_bound, search
first, second, _ = planted(5000, (96, 64), 50, 1)
first[:4] @ first[:4].T  # the library's own working memory
def peak(): return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
def now(): return int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0]) * 1024
open("/proc/self/clear_refs", "w").write("5")  # the peak so far is the fixture's
before = now()
ask = {"similar": -1.0, "different": 1.0, "block": 1024, "most": 300}
search((first, second), ask)
print(peak() - before, memory_bound((first, second), ask) - first.nbytes - second.nbytes)
"""


def pairs(found):
    return list(zip(found.best["i"].tolist(), found.best["j"].tolist(), strict=True))


def test_exactly_the_planted_pairs_among_20000_are_found():
    first, second, wanted = planted(20_000, (64, 48), 150, 0)
    found = search((first, second), {**ASK, "block": 2048})
    assert set(pairs(found)) == wanted
    assert found.matching == len(found.best) == 150


@pytest.mark.parametrize(("n", "parts"), [(1, 1), (10, 3), (9, 3), (4, 7), (100, 6)])
def test_parts_compare_every_two_images_once(n, parts):
    ranges = [rows_of(n, parts, part) for part in range(parts)]
    assert [row for rows in ranges for row in rows] == list(range(n))
    compared = [
        pair
        for one in range(parts)
        for other in range(one, parts)
        for a, b in all_blocks(ranges[one], ranges[other], 4)
        for pair in ((i, j) for i in a for j in b if i < j)
    ]
    assert sorted(compared) == [(i, j) for i in range(n) for j in range(i + 1, n)]


@pytest.mark.parametrize("seed", range(12))
def test_the_search_equals_brute_force_for_any_block_size(seed):
    rng = np.random.default_rng(seed)
    n, widths = int(rng.integers(2, 120)), rng.integers(2, 7, 2)
    first, second = (unit(rng.standard_normal((n, width))) for width in widths)
    similar, different = rng.uniform(0, 0.9), rng.uniform(-0.5, 0.9)
    expected = brute_force(first, second, similar, different)
    for block in (1, 7, n, 1000):
        for most in (3, 10_000):
            ask = {"similar": similar, "different": different, "block": block, "most": most}
            found = search((first, second), ask)
            assert pairs(found) == expected[:most]
            assert found.matching == len(expected)


def test_ties_are_ordered_and_cut_by_id(monkeypatch):
    monkeypatch.setattr(module, "PAIRS", 5)
    first = np.tile(np.float32([1, 0]), (9, 1))
    second = np.eye(9, dtype=np.float32)
    everything = [(i, j) for i in range(9) for j in range(i + 1, 9)]
    for block in (2, 4, 9):
        found = search((first, second), {**ASK, "block": block, "most": 7})
        assert pairs(found) == everything[:7]
        assert found.matching == 36


def test_a_cosine_at_the_threshold_does_not_match_and_one_just_above_does():
    first = np.float32([[1, 0], [0.6, 0.8], [0.8, 0.6]])
    second = np.eye(3, dtype=np.float32)
    exact = float(np.float32(0.8))  # the cosine of rows 0 and 2, in float64
    below = np.nextafter(exact, 0)
    for similar, wanted in ((exact, [(1, 2)]), (below, [(1, 2), (0, 2)])):
        assert pairs(search((first, second), {**ASK, "similar": similar})) == wanted


def test_blocks_without_a_candidate_are_not_compared_in_the_second_encoder():
    first = np.eye(40, dtype=np.float32)
    second = np.full((40, 3), np.nan, np.float32)
    found = search((first, second), {**ASK, "block": 16})
    assert (found.matching, found.highest_first, found.lowest_second) == (0, 0.0, 2.0)


def test_without_a_match_the_nearest_cosines_are_reported():
    first, second, _ = planted(300, (64, 48), 20, 3)
    alike = second[:, :1] * 0 + second[:1]  # all images are equal in the second encoder
    found = search((first, np.ascontiguousarray(alike)), ASK)
    assert found.matching == 0
    assert found.highest_first == pytest.approx(np.triu(first @ first.T, 1).max(), abs=1e-6)
    assert found.lowest_second == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("ask", [ASK, {**ASK, "similar": -1.0, "different": 1.0, "most": 50}])
def test_memory_stays_within_the_bound_even_if_all_pairs_match(ask):
    first, second, _ = planted(3000, (96, 64), 50, 1)
    tracemalloc.start()
    found = search((first, second), ask)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    stated = memory_bound((first, second), ask)
    assert peak < stated - first.nbytes - second.nbytes
    assert found.matching == (3000 * 2999 // 2 if ask["most"] == 50 else 50)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
def test_a_process_grows_by_at_most_the_stated_memory():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["workflow", "tests/unit"])}
    done = subprocess.run(
        [sys.executable, "-c", STATED], env=environment, capture_output=True, text=True, check=True
    )
    grown, stated = map(int, done.stdout.split())
    assert grown < stated + 32e6, done.stdout  # plus working memory of the library
