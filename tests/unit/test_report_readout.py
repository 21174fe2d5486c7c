"""Readouts without a control, interval and test are refused; charts show all others."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import vl_convert
from readout_tables_fixture import EVIL, LARGE, SMALL, N, write_readouts

from eyechart.core.errors import UserError
from eyechart.core.files import read_json, write_json
from eyechart.report import draw
from eyechart.report.chart_style import VEGALITE
from eyechart.report.files import Inputs
from eyechart.report.sections.readout.charts import readout_rows, readouts
from eyechart.report.sections.readout.load import (
    Readout,
    check_readouts,
    lines,
    read_readouts,
    unread_sentences,
)
from eyechart.report.sections.readout.page import head_lines, section
from eyechart.report.templates import render_section
from eyechart.tables.parquet import read_table, write_table


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("read")
    write_readouts(root, "small", SMALL)
    write_readouts(root, "large", LARGE)
    write_readouts(root, "encoder", SMALL[:5], answers=False)
    return root


@pytest.fixture(scope="module")
def found(root: Path) -> dict[str, Readout]:
    write_json(root / "results/models/small/card.json", {"model": "small", "reads": ["vision.0"]})
    folders = ("readout", "behavior/scores", "models")
    tables = [p for f in folders for p in sorted(root.glob(f"results/{f}/*/*.*"))]
    return {one.model: one for one in read_readouts(Inputs(tables))}


@pytest.fixture(scope="module")
def charts(found: dict[str, Readout]) -> dict[str, Any]:
    return {model: readouts(one) for model, one in found.items()}


def table(root: Path) -> tuple[Path, pl.DataFrame]:
    path = root / "results/readout/small/six.parquet"
    return path, pl.DataFrame(read_table(path))


def with_value(rows: pl.DataFrame, field: str, value: object) -> pl.DataFrame:
    first = pl.int_range(pl.len()) == 0
    new = pl.when(first).then(pl.lit(value, rows[field].dtype)).otherwise(pl.col(field))
    return rows.with_columns(new.alias(field))


@pytest.mark.parametrize("field", ["value", "n", "groups", "chance", "ci_low", "ci_high"])
def test_a_readout_without_chance_n_or_interval_is_refused(root, field):
    path, rows = table(root)
    with pytest.raises(UserError, match=rf"row 0 \(semantic.*vision.0, points\): .*{field}"):
        check_readouts(path, with_value(rows, field, None))


def test_a_readout_without_its_control_is_refused(root):
    path, rows = table(root)
    check_readouts(path, rows)
    with pytest.raises(UserError, match=r"row 0 .*its control is missing"):
        check_readouts(path, rows[[0, *range(2, len(rows))]])


@pytest.mark.parametrize("field", ["difference", "p", "q"])
def test_a_comparison_without_its_paired_test_is_refused(root, field):
    path, rows = table(root)
    with pytest.raises(UserError, match=rf"without its paired test \('{field}'\)"):
        check_readouts(path, with_value(rows, field, None))


def test_numbers_that_contradict_each_other_are_refused(root):
    path, rows = table(root)
    with pytest.raises(UserError, match="q is below p"):
        check_readouts(path, with_value(rows, "q", 1e-9))
    with pytest.raises(UserError, match="the readout is duplicated"):
        check_readouts(path, pl.concat([rows, rows.head(1)]))


def test_a_table_under_another_models_name_is_refused(root, tmp_path):
    other = tmp_path / "results/readout/other/six.parquet"
    write_table(other, read_table(table(root)[0]))
    with pytest.raises(UserError, match="a row is about small on six, unlike its path"):
        read_readouts(Inputs([other]))


def test_outputs_that_the_connector_does_not_read_are_marked(charts):
    def parts(chart):
        rows = chart["datasets"]["components"]
        return [row for row in rows if row["component"] == "unread"]

    marked = parts(charts["small"])
    assert marked and {row["name"] for row in marked} == {"not read"}
    assert {row["first"] for row in marked} == {"vision.1"}
    assert not parts(charts["encoder"])  # no card has it


def test_every_number_of_the_chart_is_in_its_table(root, found, tmp_path):
    folder = tmp_path / "figures"
    words = ["--section", "readout", "--settings", '{"png_scale": 1}']
    words += ["--tables", str(root / "results/readout/small/six.parquet")]
    words += [str(root / "results/behavior/scores/small/six.parquet")]
    draw.main([*words, "--output", str(folder / "figures.json")])
    assert {f["path"] for f in read_json(folder / "figures.json")["files"]} == {
        f"readouts.{end}" for end in ("svg", "png", "csv")
    }
    shown = pl.read_csv(folder / "readouts.csv")
    rows = table(root)[1]
    own = rows.filter(~pl.col("readout").str.contains("/"))
    assert len(shown) == len(own) == len(readout_rows(found["small"]))
    key = ["task", "seen", "address", "readout"]
    both = own.join(shown, on=key, suffix="_shown")
    assert (both["value"] - both["value_shown"]).abs().max() <= 5e-5
    assert both["control"].null_count() == both["sighted"].null_count() == 0
    assert both["blind_low"].null_count() == 0


def test_a_chart_has_a_panel_per_task_with_borders_alone_and_canvas(charts):
    chart = charts["large"]
    assert len(chart["concat"]) == 6
    svg = vl_convert.vegalite_to_svg(chart, vl_version=VEGALITE)
    for words in ("3D odd one out (n 130)", "its own response", "its blind response (blank image)"):
        assert words in svg
    assert "each image alone" in svg and "as the VLM sees it" in svg
    edges = [(r["task"], r["component"]) for r in chart["datasets"]["components"] if r["inner"]]
    assert edges.count(("art_style", "connector")) == edges.count(("art_style", "lm")) == 1


def test_a_model_that_does_not_answer_has_curves_and_no_line_of_answers(found, charts):
    chart = charts["encoder"]
    assert chart["datasets"]["responses"] == []
    assert "its own response" not in vl_convert.vegalite_to_svg(chart, vl_version=VEGALITE)
    assert {line["sighted"] for line in lines(found["encoder"])} == {None}


def test_without_readouts_the_figure_states_it(found):
    empty = Readout("m", "d", [], {}, [], [])
    svg = vl_convert.vegalite_to_svg(readouts(empty), vl_version=VEGALITE)
    assert "no item could be read out" in svg
    assert lines(empty) == []


def test_lines_hold_the_last_address_of_each_component_and_the_highest(found):
    made = lines(found["large"])
    odd = next(one for one in made if one["task"] == "3D odd one out" and one["seen"] == "alone")
    places = {name: row["address"] for name, row in odd["at"].items() if row}
    assert places == {"vision": "vision.23", "connector": "connector", "lm": "lm.31"}
    own = [r["value"] for r in found["large"].of("odd_one_out") if r["readout"] == "cls"]
    cls = next(one for one in made if one["readout"] == "class token")
    assert cls["highest"]["value"] == max(own)
    assert {line["n"] for line in made} == {N}


def test_items_that_could_not_be_read_are_described(found):
    said = unread_sentences(found["small"])
    assert said[0].startswith("3D odd one out, alone, at vision: 2 of 132 items cannot be read out")
    assert said[1] == f"No depth head stands for lm.{EVIL}."


def test_the_section_escapes_data_and_shows_heads(found, tmp_path):
    row = {"address": "vision", "readout": "depth_dpt", "blocks": ["vision.0", "vision.1"]}
    row |= {"train_images": 30, "test_images": 10, "abs_rel": 0.12, "delta_1": 0.9}
    row |= {"constant_abs_rel": 0.4, "constant_delta_1": 0.3}
    linear = {k: v for k, v in row.items() if k != "blocks"}
    linear |= {"address": "lm.3", "readout": "depth_linear"}
    path = tmp_path / "depth_heads.json"
    write_json(path, {"model": "small", "dataset": "rooms", "heads": [linear, row]})
    given = section(list(found.values()), [path])
    page = render_section("readout", **given, settings={"figures": ["readout"]})
    assert EVIL not in page and "&lt;script&gt;" in page
    assert "<td>lm.3</td>" in page and "linear depth head" in page
    assert "vision.0–1" in page and "0.12" in page and "depth head over blocks" in page
    charts = [part.split("</script>")[0] for part in page.split('data-for="')[1:]]
    assert len(charts) == 3
    assert json.loads(charts[0].split(">", 1)[1])["readouts"]["datasets"]["points"]
    write_json(path, {"model": "m", "dataset": "d", "heads": [row | {"constant_abs_rel": None}]})
    with pytest.raises(UserError, match="the head at 'vision' has no 'constant_abs_rel'"):
        head_lines([path])


def test_without_readouts_there_is_no_section():
    assert section([], []) is None
