"""The section on tuning: the table's numbers, refusals, and one chart."""

import polars as pl
import pyarrow as pa
import pytest

from eyechart.core.errors import UserError
from eyechart.report.files import Inputs
from eyechart.report.sections.tuning.charts import figures
from eyechart.report.sections.tuning.page import context
from eyechart.report.templates import render_section
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.tuning import TUNING

SETTINGS = {"figures": ["tuning"]}


@pytest.fixture
def path(tmp_path):
    rows = []
    for arm, part, gain in (("lora_lm", "lm", 0.4), ("prompt_5", "prompt", 0.1)):
        own = {"model": "m", "dataset": "clevr", "task": "size", "arm": arm, "part": part}
        own |= {"parameters": 30720, "steps": 40, "n": 100, "groups": 90, "before": 0.5}
        own |= {"lift_low": -0.1, "lift_high": 0.2, "tv_before": 0.5, "tv_after": 0.25}
        own |= {"learning_rate": 0.003, "mass_before": 0.21, "mass_after": 0.34}
        own |= {"mass_low": 0.11, "mass_high": 0.15}
        gained = {"gain": gain, "gain_low": gain - 0.05, "gain_high": gain + 0.05}
        gained |= {"p": 0.001, "q": 0.002, "after": 0.55 + gain, "data": "true"}
        for seed in (0, None):
            said = {"adaptable": arm == "lora_lm" if seed is None and part == "lm" else None}
            rows.append(own | gained | said | {"seed": seed})
            rows.append(own | {"data": "blank", "after": 0.55, "seed": seed})
    write_table(path := tmp_path / "results/tuning/m.parquet", pa.Table.from_pylist(rows, TUNING))
    return path


def test_the_page_shows_gains_with_controls_and_the_warning(path):
    found = context(Inputs([path]), SETTINGS)
    page = render_section("tuning", **found, settings=SETTINGS, criteria=None)
    assert "Adaptable: size of clevr at the part lm." in page
    assert "not comparable" in page and "2506.08008" in page
    assert page.index("Numbers from the paper") < page.index('<td class="n">0.82</td>')
    row = next(part for part in page.split("<tr>") if "<code>lora_lm</code>" in part)
    for number in ("30,720", "0.50", "<b>0.95</b>", "0.55", "+0.40", "+0.35 to +0.45", ".002",
                   "40,<br>0.003", "0.21, 0.34<br>", "+0.11 to +0.15"):  # fmt: skip
        assert number in row, (number, row)
    assert row.count('<td class="n">1</td>') == 1  # seeds
    assert context(Inputs([]), SETTINGS) is None


def test_the_chart_holds_the_gains_of_all_seeds_together(path):
    spec = figures(Inputs([path]), {})["gains"]
    points = spec["datasets"]["points"]
    assert [(p["arm"], p["gain"]) for p in points] == [("lora_lm", 0.4), ("prompt_5", 0.1)]
    assert {p["panel"] for p in points} == {"m: size of clevr"}


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("gain_low", None, "row 2 .lora_lm on true data.: a gain without gain_low"),
        ("gain", None, "no gain"),
        ("n", None, "no n"),
        ("q", 0.0001, "its q is below its p"),
        ("model", "other", "a row is about other on , unlike its path"),
    ],
)
def test_a_number_without_its_statistics_is_refused(column, value, sentence, path):
    table = read_table(path).to_pylist()
    table[2 if value is None or column == "q" else 0][column] = value
    write_table(path, pa.Table.from_pylist(table, TUNING))
    with pytest.raises(UserError, match=sentence):
        context(Inputs([path]), SETTINGS)


def test_rows_of_one_seed_are_not_shown(path):
    rows = pl.DataFrame(read_table(path)).filter(pl.col("seed").is_not_null())
    write_table(path, rows.to_arrow().cast(TUNING))
    assert context(Inputs([path]), SETTINGS) is None
