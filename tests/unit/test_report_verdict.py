"""The report refuses verdicts with uncontrolled numbers, and draws figures of the others."""

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from card_fixture import MODELS, NINE, render, spoil, text, write_card

from eyechart.core.errors import UserError
from eyechart.report import draw
from eyechart.report.sections.verdict.classes import LOOKS
from eyechart.report.sections.verdict.load import card
from eyechart.tables.parquet import write_table
from eyechart.tables.verdict import NOTE as NOTE_KEY
from eyechart.tables.verdict import parts, read_verdict, write_verdict
from eyechart.tables.verdict_rules import RULES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "verdict.md"


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> list[Path]:
    return write_card(tmp_path_factory.mktemp("exam"))


def test_a_run_without_verdicts_has_no_card(tmp_path):
    assert card([]) is None
    (path, *_) = write_card(tmp_path)
    for part in parts(path):
        write_table(part, pq.read_table(part).slice(0, 0))
    assert card([path]) is None


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
        (CLASS, "verdict", pl.lit("usde"), "verdict is 'usde'; did you mean 'used'"),
        (CLASS, "band", pl.lit("seven"), "band is 'seven'"),
        (CLASS, "chance", NO_FLOAT, "has no 'chance'"),
        (CLASS, "why", pl.lit(None, pl.String), "has no 'why'"),
        (CLASS, "skill", pl.lit("color"), "is there twice"),
        (CLASS, "rule", pl.lit("none"), "has a class without a rule"),
        (CLASS, "loss_first", pl.lit("lm"), "loss_first is 'lm'"),
        (CLASS, "loss_second", pl.lit(None, pl.String), "has a loss, no loss_second"),
        (CLASS, "evidence", pl.lit(None, pl.String), "has no 'evidence'"),
        (CLASS, "evidence", pl.lit("shown"), "evidence is 'shown'; did you mean 'shown_causally'"),
        (CLASS, "cause", pl.lit("misred"), "cause is 'misred'; did you mean 'misread'"),
        (CLASS, "causal", pl.lit(None, pl.String), "has causal evidence without its numbers"),
        (CLASS, "needed", pl.lit(300, pl.Int32), "is decided and needs items"),
    ],
)
def test_a_number_or_class_without_its_statistics_is_refused(tmp_path, part, column, value, said):
    path = write_card(tmp_path)[1]
    spoil(parts(path)[part], value, column)
    with pytest.raises(UserError) as error:
        card([path])
    assert said in str(error.value) and str(path.parent / path.stem) in str(error.value)


def test_tables_with_different_rules_are_not_shown_together(tmp_path):
    paths = write_card(tmp_path)
    classes = parts(paths[1])[CLASS]
    table = pq.read_table(classes)
    other = json.dumps({"alpha": 0.05, "margin": 0.1, "blind": "blank"})
    write_table(classes, table.replace_schema_metadata({NOTE_KEY: other}))
    with pytest.raises(UserError, match="one page compares one set of rules"):
        card(paths)
    write_table(classes, table.replace_schema_metadata({}))
    with pytest.raises(UserError, match="its rules are not stored in it"):
        card(paths)
    with pytest.raises(UserError, match="'tiny_clip' is in another table already"):
        card([paths[0], paths[0]])


def test_figures_are_drawn_with_their_numbers(paths, tmp_path):
    output = tmp_path / "figures" / "figures.json"
    words = ["--section", "verdict", "--tables", *map(str, paths), "--settings", '{"png_scale": 1}']
    draw.main([*words, "--output", str(output)])
    manifest = json.loads(output.read_text())
    stems = [*(f"card_{model}" for model in MODELS), "comparison"]
    expected = {f"{stem}.{end}" for stem in stems for end in ("svg", "png", "csv")}
    assert {file["path"] for file in manifest["files"]} == expected
    drawn = pl.read_csv(output.parent / "card_tiny_clip.csv")
    verdict = read_verdict(paths[0])
    assert set(drawn["why"]) == set(verdict.skills["why"])
    assert len(drawn) == len(verdict.values) and drawn["n"].null_count() == 0
    compared = pl.read_csv(output.parent / "comparison.csv")
    assert len(compared) == sum(len(cells) for _, cells in MODELS.values()) - len(NINE)
    svg = (output.parent / "comparison.svg").read_text()
    for word in compared["class"].unique():
        assert word in svg


def test_a_model_without_evidence_has_a_figure_that_states_it(tmp_path):
    table = tmp_path / "results/verdict/tiny_dino.parquet"
    write_verdict(parts(table), ([], [], []), {})
    words = ["--section", "verdict", "--tables", str(table), "--settings", '{"png_scale": 1}']
    draw.main([*words, "--output", str(tmp_path / "figures.json")])
    for name in ("card_tiny_dino", "comparison"):
        assert "no responses, readouts or probes" in (tmp_path / f"{name}.svg").read_text()


def test_the_page_explains_the_rules_that_are_applied_and_so_does_the_document(paths):
    said, written = text(render(paths)), DOCS.read_text(encoding="utf-8")
    for rule in RULES:
        assert "; ".join(rule.shown) in said
        line = f"| {LOOKS[rule.verdict].word} | {'; '.join(rule.shown)} |"
        assert f"{line} {'; '.join(rule.unless) or '–'} |" in written
