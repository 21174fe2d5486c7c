"""Charts, tables and refusals of the section on interventions."""

import json
import re

import polars as pl
import pytest
from causal_fixture import ADDRESSES, COLOR, HELD, erased, erasers, row, write

from eyechart.core.errors import UserError
from eyechart.report import draw
from eyechart.report.files import Inputs
from eyechart.report.format import share
from eyechart.report.sections.interventions import charts
from eyechart.report.sections.interventions.load import ALONE, ONWARDS, WINDOW, read_intervened
from eyechart.report.sections.interventions.page import context
from eyechart.report.templates import render_section

SETTINGS = {"alpha": 0.01, "figures": ["interventions"], "png_scale": 1}
RUNS = [(0, 0), (1, 1), (2, 2), (3, 3), (0, 1), (1, 2), (2, 3), (0, 3), (1, 3)]
CUTS = [
    row("knockout", f"lm.{a}", 0.8 - 0.2 * (a == 0), 0.8, until=f"lm.{b}", direction="text")
    for a, b in RUNS
]
NARROW = [row("knockout", "lm.0", 0.1, 0.8, direction="last")]
OTHER = erased({"connector": (0.5, 0.55)}, task="shape", reach=0.2)
ROWS = [*COLOR, *CUTS, *NARROW, *OTHER, row("erase", "best", 0.1, 0.7, concept="color")]


@pytest.fixture
def path(tmp_path):
    return write(tmp_path, ROWS, erasers(HELD), {"note": "ablate: no image tokens"})


def page(*paths):
    return render_section("interventions", **context(Inputs(paths), SETTINGS), settings=SETTINGS)


def test_the_page_has_three_charts_each_with_control_interval_and_n(path):
    found = page(path)
    assert found.count("data:image/svg+xml") == 3
    line = "".join(f'<td class="tight">{cell}</td>' for cell in (
        *("image", "connector", "donor of the same answer", "0.92", "0.87–0.97", "0.44"),
        *("+0.48", "+0.43 to +0.53", "&lt; 0.0001", "100", "60"),
    ))  # fmt: skip
    assert f"<th>color</th>{line}" in found
    assert '<td class="tight">lm.1 to lm.3</td>' in found
    assert "−0.06 to +0.04 ≈ 0" in found  # shown to be no effect
    assert "Omitted: ablate: no image tokens." in found
    assert "figures/interventions/drawn/m/" in found


def test_cut_attention_is_shown_by_run_of_blocks_for_the_widest_queries(path):
    (one,) = read_intervened([path])
    rows = one.knockouts()
    assert {r["direction"] for r in rows} == {"text"}
    at = {run: [r["address"] for r in rows if r["run"] == run] for run in (ALONE, WINDOW, ONWARDS)}
    assert at[ALONE] == ["lm.0", "lm.1", "lm.2", "lm.3"]
    assert at[WINDOW] == ["lm.0", "lm.1", "lm.2"]
    assert at[ONWARDS] == ["lm.0", "lm.1", "lm.2", "lm.3"]  # each with all later blocks


def test_the_matrix_shows_effects_in_bold_and_their_absence_in_grey(path):
    (one,) = read_intervened([path])
    rows = charts.erasures(one, 0.01)["datasets"]["points"]
    styles = {(r["address"], r["task"]): r["style"] for r in rows}
    assert styles["connector", "color"] == "shown" and styles["lm.0", "color"] == "none"
    assert styles["connector", "shape"] == "open" and len(rows) == len(ADDRESSES) + 1
    many = [{"address": f"lm.{n}"} for n in range(32)] + [{"address": "connector"}]
    assert charts.shown(many) == ["connector", "lm.0", "lm.10", "lm.21", "lm.31"]
    assert charts.shown(many[:1]) == ["lm.0"]


def test_the_matrix_and_the_table_round_a_difference_in_the_same_way(tmp_path):
    path = write(tmp_path, erased({"connector": (0.655, 0.7)}), erasers(HELD))
    (point,) = charts.erasures(read_intervened([path])[0], 0.01)["datasets"]["points"]
    (cell,) = set(re.findall(r">([+−][\d.]+)<", page(path)))
    assert cell == share(point["points"] / 100, sign=True)


def test_figures_are_files_with_their_numbers(path, tmp_path):
    output = tmp_path / "o/figures.json"
    words = ["--section", "interventions", "--tables", str(path), "--output", str(output)]
    draw.main([*words, "--settings", json.dumps(SETTINGS)])
    assert {p.name for p in output.parent.iterdir()} == {
        *(f"{n}.{e}" for n in ("patches", "knockouts", "erasures") for e in ("svg", "png", "csv")),
        "figures.json",
    }
    table = pl.read_csv(output.with_name("patches.csv"))
    first = table.filter(address="connector").to_dicts()[0]
    assert (first["value"], first["control_value"], first["n"]) == (0.92, 0.44, 100)
    assert (first["low"], first["difference"], first["high"]) == (0.43, 0.48, 0.53)


def test_a_model_without_interventions_is_stated_and_not_an_error(path, tmp_path):
    cards = []
    for model, kind in (("m", "vlm"), ("aligned", "vlm"), ("eye", "encoder")):
        cards.append(tmp_path / f"results/models/{model}/card.json")
        cards[-1].parent.mkdir(parents=True)
        cards[-1].write_text(json.dumps({"model": model, "kind": kind}))
    found = page(path, *cards)
    assert "There are no interventions in aligned: these verdicts" in found
    assert "eye: no inter" not in found and "m: no inter" not in found
    assert context(Inputs(cards), SETTINGS) is None  # without data there is no section
    empty = write(tmp_path / "empty", [], [], {"note": "knockout: no attention mask"})
    assert "Omitted: knockout: no attention mask." in page(empty)
    output = tmp_path / "o/figures.json"
    words = ["--section", "interventions", "--tables", str(empty), "--output", str(output)]
    draw.main([*words, "--settings", json.dumps(SETTINGS)])
    assert "no data for this figure" in output.with_name("patches.svg").read_text()
    assert "no item was answered" in page(write(tmp_path / "none", [], []))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"difference_low": None}, "it has no 'difference_low'"),
        ({"control_value": float("nan")}, "it has no 'control_value'"),
        ({"p": 0.5, "q": 0.1}, "its q is below its p"),
        ({"control": "ramdom"}, "control is 'ramdom'; did you mean 'random'"),
        ({"model": "other"}, "a row is about other on drawn"),
    ],
)
def test_an_effect_without_its_statistics_is_refused(tmp_path, changes, said):
    path = write(tmp_path, [ROWS[0] | changes, *ROWS[1:]], [])
    with pytest.raises(UserError, match=said) as error:
        context(Inputs([path]), SETTINGS)
    assert str(path) in str(error.value)
