"""Draws depend only on their names."""

import subprocess
import sys
from pathlib import Path

import pytest

from eyechart.core import randomness

ROOT = Path(__file__).resolve().parents[2]


def test_the_same_names_draw_the_same() -> None:
    first, again = (randomness.generator("probe", 7, "clip").random(5) for _ in range(2))
    assert first.tolist() == again.tolist()
    assert randomness.dice("q", 7).random() == randomness.dice("q", 7).random()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "bc"), ("ab", "c")),
        (("a", 1), ("a", "1")),
        (("a", 1, 2), ("a", 12)),
        (("a",), ("a", "")),
        (("a", 1), (1, "a")),
    ],
)
def test_similar_names_draw_differently(one: tuple, other: tuple) -> None:
    assert randomness.seed_for(*one) != randomness.seed_for(*other)


def test_seeds_fill_63_bits_without_collisions() -> None:
    seeds = [randomness.seed_for("x", n) for n in range(20_000)]
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) >= 0 and max(seeds) < 2**63
    high = sum(seed >= 2**62 for seed in seeds)
    assert abs(high - 10_000) < 5 * 71  # five standard deviations of a fair coin


def test_seeds_do_not_depend_on_the_process() -> None:
    code = "from eyechart.core.randomness import seed_for as s; print(s('a', 7), s('b', 'c'))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": str(ROOT / "workflow"), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert seen == {f"{randomness.seed_for('a', 7)} {randomness.seed_for('b', 'c')}\n"}
