"""The page about scale: its tables follow from the constants, which come from benchmarks."""

import math
import runpy

import pytest
from documented_commands import ROOT

SCALE = runpy.run_path(str(ROOT / "bench/scale.py"))
PAGE = (ROOT / "docs/scale.md").read_text(encoding="utf-8")


def test_the_tables_of_the_page_follow_from_the_constants() -> None:
    assert SCALE["page"](PAGE) == PAGE
    assert PAGE.count("<!-- generated:") == 4
    for name in ("costs", "limits", "plans", "constants"):
        assert SCALE[name]() in PAGE


@pytest.mark.parametrize("name", sorted(SCALE["CONSTANTS"]))
def test_every_constant_is_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value, *rest = SCALE["CONSTANTS"][name]
    before = SCALE["costs"]() + SCALE["limits"]() + SCALE["plans"]()
    monkeypatch.setitem(SCALE["CONSTANTS"], name, (3 * value, *rest))
    assert SCALE["costs"]() + SCALE["limits"]() + SCALE["plans"]() != before


def test_work_grows_according_to_the_formulas() -> None:
    def hours(step: str, n: float) -> float:
        return sum(SCALE[step](n)[2:4])

    assert hours("prepare", 10**9) == pytest.approx(1000 * hours("prepare", 10**6))
    assert hours("mine", 10**9) == pytest.approx(10**6 * hours("mine", 10**6))
    assert hours("mine_near", 10**8) == pytest.approx(1000 * hours("mine_near", 10**6))
    work = 10**6 * 2 * 7e9 * 620 / 5e13 / 3600  # GPU hours, without loading
    assert work < hours("extract", 10**6) < 1.05 * work
    memory = [SCALE["probe"](n)[4] for n in (10**6, 10**7)]
    assert memory[1] - memory[0] == pytest.approx(9 * (memory[0] - 0.5))


def test_one_image_more_than_a_limit_is_too_many() -> None:
    most = SCALE["_most"](lambda n: SCALE["probe"](n)[4], 256)
    assert SCALE["probe"](most)[4] == pytest.approx(256)
    assert SCALE["_most"](lambda n: 0, 1) == SCALE["MANY"]


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0, "–"), (1e-5, "under 1 s"), (0.01, "36 s"), (0.5, "30 min"), (1234.0, "1,200 h")],
)
def test_times_are_in_a_unit_that_leaves_few_digits(hours: float, text: str) -> None:
    assert SCALE["duration"](hours) == text
    assert SCALE["size"](1.5e12) == "1.5 TB"
    assert math.isclose(SCALE["of"]("value"), 1.86)
