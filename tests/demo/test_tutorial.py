"""The numbers in docs/tutorial.md match the demo in this folder."""

import re
from pathlib import Path

import polars as pl
import pytest

pytestmark = pytest.mark.demo

ROOT = Path(__file__).resolve().parents[2]
NEAR = 0.02  # the last digits of sums differ between processors, which changes a few of 180 items


def said(pattern: str) -> list[float]:
    """Return the tutorial's numbers at the stars of the pattern."""
    words = [re.escape(part) for part in pattern.split("*")]
    text = " ".join((ROOT / "docs/tutorial.md").read_text().split())
    found = re.search(r"(\d\.\d+)".join(words), text)
    assert found, f"docs/tutorial.md lacks {pattern!r}"
    return [float(number) for number in found.groups()]


def probes_of_colour(kind: str, span: str) -> dict[str, float]:
    """Return the accuracy of linear probes at every address."""
    table = pl.read_parquet(ROOT / "results/probing/tiny_llava/clevr/color.parquet")
    rows = table.filter((pl.col("kind") == kind) & (pl.col("span") == span))
    return dict(rows.group_by("address").agg(pl.col("accuracy").mean()).iter_rows())


def test_the_tutorial_says_how_well_colour_is_decoded() -> None:
    least, most = said("(span `referent`, accuracy * or more, control below *)")
    assert min(probes_of_colour("task", "referent").values()) == pytest.approx(least, abs=NEAR)
    assert max(probes_of_colour("control_type", "referent").values()) < most
    first, last = said("rises from * after `lm.0` to * after `lm.3`")
    position = probes_of_colour("task", "last")
    assert (position["lm.0"], position["lm.3"]) == pytest.approx((first, last), abs=NEAR)


def test_the_tutorial_says_how_well_clevr_is_answered() -> None:
    table = pl.read_parquet(ROOT / "results/behavior/scores/tiny_llava/clevr.parquet")
    rows = table.filter((pl.col("task") == "all") & (pl.col("metric") == "accuracy"))
    value = dict(rows.select("condition", "value").iter_rows())
    sighted, blank, chance = said(
        "answers * of the CLEVR questions correctly with the image and * without it; chance is *"
    )
    found = (value["sighted"], value["blank"], rows["chance"][0])
    assert found == pytest.approx((sighted, blank, chance), abs=NEAR)
