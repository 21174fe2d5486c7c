"""The exam card says what the tables say, in words, shapes and numbers, and refuses the rest."""

import json
import re
import subprocess
from html import unescape
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from browser import chromium
from exam_fixture import MODELS, NINE, SCENES, SIX_TASKS, write_verdicts

from eyechart.core.errors import UserError
from eyechart.report import draw
from eyechart.report.format import share
from eyechart.report.sections.verdict.classes import BAND_NAMES, LANES, LIT, LOOKS, TESTED
from eyechart.report.sections.verdict.load import card, families, read_verdicts
from eyechart.report.templates import FOLDER, render_section
from eyechart.tables.parquet import write_table
from eyechart.tables.verdict import (
    BANDS,
    CLASSES,
    COMPARISONS,
    NOTE,
    STAGES,
    parts,
    read_verdict,
    write_verdict,
)
from eyechart.tables.verdict_rules import NO_RULE, RULES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "verdict.md"


def render(paths: list[Path]) -> str:
    return render_section("verdict", card=card(paths))


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> list[Path]:
    return write_verdicts(tmp_path_factory.mktemp("exam"), n=120)


@pytest.fixture(scope="module")
def page(paths) -> str:
    return render(paths)


def cells(page: str) -> dict[tuple[str, str, str], str]:
    """Return the text of every cell of the first screen's table by band, skill and model."""
    grid = page[page.index('<table class="grid">') : page.index("</table>")]
    models = re.findall(r"<th>(tiny_\w+)", grid)
    found = {}
    for body in grid.split("<tbody>")[1:]:
        band, *lines = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
        for line in lines:
            head, *rest = re.findall(r"<t[hd]>(.*?)</t[hd]>", line, re.DOTALL)
            for model, cell in zip(models, rest, strict=True):
                found[text(band), text(head).split(" chance")[0], model] = text(cell)
    return found


def text(markup: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def test_every_class_stage_band_and_test_has_a_name_of_its_own():
    assert tuple(sorted(LOOKS)) == tuple(sorted(CLASSES)) and tuple(LANES) == STAGES
    assert tuple(BAND_NAMES) == BANDS and tuple(TESTED) == tuple(COMPARISONS)
    assert set(LIT) == {rule.name for rule in (*RULES, NO_RULE)}
    for part in ("word", "shape", "tint"):
        assert len({getattr(look, part) for look in LOOKS.values()}) == len(LOOKS), part


def test_the_first_screen_has_word_value_interval_and_n_of_every_verdict(page, paths):
    found = cells(page)
    for path in paths:
        for row in read_verdict(path).by_skill():
            band, skill = BAND_NAMES[row["band"]], row["skill"].replace("_", " ")
            cell = found[band, skill, row["model"]]
            at = row["stages"]
            features = row["verdict"] == "encoded" or "sighted" not in at
            stage = "alone" if features and "alone" in at else "encoder"
            one = at[stage if features else "sighted"]
            ends = f"{share(one['ci_low'])}–{share(one['ci_high'])}"
            expected = f"{LOOKS[row['verdict']].word} {share(one['value'])} {ends}"
            assert cell == f"{expected} n {one['n']}"


def test_models_that_share_an_encoder_stand_side_by_side_and_vlms_come_first(page, paths):
    assert re.findall(r"<th>(tiny_\w+)", page)[:4] == [
        "tiny_llava_aligned", "tiny_llava", "tiny_clip", "tiny_dino"]  # fmt: skip
    names = [[m.model for m in f["models"]] for f in families(read_verdicts(paths))]
    assert names == [["tiny_clip"], ["tiny_dino"], ["tiny_llava_aligned", "tiny_llava"]]
    assert "with the same encoder, tiny_clip" in page


def test_the_two_halves_of_mmvp_share_a_line(paths):
    (band,) = [b for b in card(paths)["grid"] if b["name"] == "MMVP patterns"]
    assert [line["skill"] for line in band["lines"]] == NINE
    assert all(line["datasets"] == ["mmvp", "mmvp_vlm"] for line in band["lines"])
    assert [line["cells"][3] for line in band["lines"]] == [None] * 9  # tiny_dino reads no text


def test_every_reason_stands_on_the_page_with_every_stage_behind_it(page, paths):
    said = text(page)
    for path in paths:
        for row in read_verdict(path).by_skill():
            assert " ".join(row["why"].split()) in said
            for one in row["stages"].values():
                ends = f"{share(one['ci_low'])}–{share(one['ci_high'])}"
                value = share(one["value"])
                assert f"{value} {ends}" in said or f"{value}, 95 % {ends}" in page
    assert len(re.findall(r'class="cell"', page)) == 2 * 21 + 21 + 6


def test_only_stages_that_the_class_rests_on_are_in_colour(tmp_path):
    lit = {}
    for band in card(write_verdicts(tmp_path, n=300))["grid"]:
        for line in band["lines"]:
            for cell in filter(None, line["cells"]):
                rule = cell["row"]["rule"], cell["row"]["kind"]
                lit[rule] = [lane["stage"] for lane in cell["lanes"] if lane["lit"]]
    assert lit["held and unused", "vlm"] == ["lm_best", "sighted"]
    assert lit["not encoded", "vlm"] == ["encoder"]  # of the canvas; alone stands beside it
    assert lit["none", "vlm"] == []
    assert lit["nobody to use it", "encoder"] in (["alone"], ["encoder"])


def test_nothing_is_told_by_colour_alone_and_nothing_is_fetched(page):
    for look in LOOKS.values():
        if f">{look.word}</b>" in page:
            assert f'id="class-{look.shape}"' in page and f'href="#class-{look.shape}"' in page
    assert "<script" not in page and "http" not in page and "src=" not in page


def test_names_and_reasons_from_tables_are_text_and_no_markup(tmp_path):
    paths = write_verdicts(tmp_path, n=40)
    evil = "<script>alert(1)</script>"
    for path in parts(paths[0]):
        spoil(path, pl.col("skill") + evil, "skill")
    spoil(parts(paths[0])[1], pl.lit(evil), "why")
    found = render(paths)
    assert evil not in found and "&lt;script&gt;" in found


def test_a_run_without_verdicts_has_no_card(tmp_path):
    assert card([]) is None
    (path, *_) = write_verdicts(tmp_path, n=40)
    for part in parts(path):
        write_table(part, pq.read_table(part).slice(0, 0))
    assert card([path]) is None


def spoil(path: Path, value: pl.Expr, column: str) -> None:
    """Rewrite one column of a table, its metadata kept."""
    schema = pq.read_schema(path)
    table = pl.read_parquet(path).with_columns(value.alias(column)).to_arrow().cast(schema)
    write_table(path, table)


VALUES, CLASS, DIFFERENCE = range(3)
NO_FLOAT = pl.lit(None, pl.Float64)
SIGHTED, BLIND = pl.col("stage") == "sighted", pl.col("comparison") == "sighted_blind"


@pytest.mark.parametrize(
    ("part", "column", "value", "said"),
    [
        (DIFFERENCE, "q", pl.when(~BLIND).then("q"), "a difference 'sighted_blind' without 'q'"),
        (VALUES, "ci_low", pl.when(~SIGHTED).then("ci_low"), "value of 'sighted' without 'ci_low'"),
        (VALUES, "n", pl.when(~SIGHTED).then("n"), "a value of 'sighted' without 'n'"),
        (VALUES, "floor", pl.when(~SIGHTED).then("floor"), "a value of 'sighted' without 'floor'"),
        (VALUES, "value", pl.when(SIGHTED).then(1.5).otherwise("value"), "outside its interval"),
        (VALUES, "stage", pl.lit("sighed"), "stage is 'sighed'; did you mean 'sighted'"),
        (VALUES, "stage", pl.lit("sighted"), "has 'sighted' twice"),
        (VALUES, "skill", pl.col("skill") + "s", "has no value at any stage"),
        (DIFFERENCE, "skill", pl.col("skill") + "s", "has numbers and no class"),
        (DIFFERENCE, "q", pl.when(BLIND).then(pl.col("p") / 2).otherwise("q"), "below its p"),
        (CLASS, "verdict", pl.lit("brian"), "verdict is 'brian'; did you mean 'brain'"),
        (CLASS, "band", pl.lit("seven"), "band is 'seven'"),
        (CLASS, "chance", NO_FLOAT, "has no 'chance'"),
        (CLASS, "why", pl.lit(None, pl.String), "has no 'why'"),
        (CLASS, "skill", pl.lit("color"), "is there twice"),
        (CLASS, "rule", pl.lit("none"), "has a class without a rule"),
    ],
)
def test_a_number_or_class_that_stands_alone_is_refused(tmp_path, part, column, value, said):
    path = write_verdicts(tmp_path, n=40)[3]
    spoil(parts(path)[part], value, column)
    with pytest.raises(UserError) as error:
        card([path])
    assert said in str(error.value) and str(path.parent / path.stem) in str(error.value)


def test_tables_made_by_other_rules_are_not_put_on_one_page(tmp_path):
    paths = write_verdicts(tmp_path, n=40)
    classes = parts(paths[1])[CLASS]
    table = pq.read_table(classes)
    other = json.dumps({"alpha": 0.05, "margin": 0.1, "blind": "blank"})
    write_table(classes, table.replace_schema_metadata({NOTE: other}))
    with pytest.raises(UserError, match="one page compares one set of rules"):
        card(paths)
    write_table(classes, table.replace_schema_metadata({}))
    with pytest.raises(UserError, match="its rules are not stored in it"):
        card(paths)
    with pytest.raises(UserError, match="'tiny_clip' is in another table already"):
        card([paths[0], paths[0]])


def test_figures_are_drawn_with_the_numbers_beside_them(paths, tmp_path):
    output = tmp_path / "figures" / "figures.json"
    words = ["--section", "verdict", "--tables", *map(str, paths), "--settings", '{"png_scale": 1}']
    draw.main([*words, "--output", str(output)])
    manifest = json.loads(output.read_text())
    stems = [*(f"card_{model}" for model in MODELS), "comparison"]
    expected = {f"{stem}.{end}" for stem in stems for end in ("svg", "png", "csv")}
    assert {file["path"] for file in manifest["files"]} == expected
    drawn = pl.read_csv(output.parent / "card_tiny_llava.csv")
    verdict = read_verdict(paths[3])
    assert set(drawn["why"]) == set(verdict.skills["why"])
    assert len(drawn) == len(verdict.values) and drawn["n"].null_count() == 0
    compared = pl.read_csv(output.parent / "comparison.csv")
    assert len(compared) == 3 * (len(SIX_TASKS) + len(SCENES) + len(NINE)) + len(SIX_TASKS)
    svg = (output.parent / "comparison.svg").read_text()
    for word in compared["class"].unique():
        assert word in svg


def test_a_model_with_nothing_to_decide_on_has_a_figure_that_says_so(tmp_path):
    table = tmp_path / "results/verdict/tiny_dino.parquet"
    write_verdict(parts(table), ([], [], []), {})
    words = ["--section", "verdict", "--tables", str(table), "--settings", '{"png_scale": 1}']
    draw.main([*words, "--output", str(tmp_path / "figures.json")])
    for name in ("card_tiny_dino", "comparison"):
        assert "No responses, readouts or probes" in (tmp_path / f"{name}.svg").read_text()


def test_the_page_explains_the_rules_that_are_applied_and_so_does_the_document(page):
    said, written = text(page), DOCS.read_text(encoding="utf-8")
    for rule in RULES:
        assert "; ".join(rule.shown) in said
        line = f"| {LOOKS[rule.verdict].word} | {'; '.join(rule.shown)} |"
        assert f"{line} {'; '.join(rule.unless) or '–'} |" in written


@pytest.mark.browser
@pytest.mark.parametrize("width", [1400, 420])
def test_the_card_fits_its_screen(page, tmp_path, width):
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    script = "document.body.append(`wide ${document.documentElement.scrollWidth} of ${innerWidth}`)"
    whole = (
        f"<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<style>{style}</style><main>{page}</main><script>{script}</script>"
    )
    (tmp_path / "card.html").write_text(whole, encoding="utf-8")
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},1000"]
    command += ["--virtual-time-budget=2000", "--dump-dom", f"file://{tmp_path / 'card.html'}"]
    dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    found = re.search(r"wide (\d+) of (\d+)", dom.rsplit("</main>", 1)[1])
    assert found and int(found[1]) <= int(found[2])
