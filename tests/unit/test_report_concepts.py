"""Concept similarity is read with controls or refused, drawn in full, and described as tested."""

import json

import polars as pl
import pytest
from concepts_fixture import (
    NAMES,
    planted,
    read_rows,
    run,
    write_answers,
    write_manifest,
    write_tables,
)

from eyechart.core.errors import UserError
from eyechart.report import draw
from eyechart.report.labels import Criteria
from eyechart.report.sections.concepts import charts as chart_concepts
from eyechart.report.sections.concepts import maps as chart_concepts_maps
from eyechart.report.sections.concepts.load import letters, read_concepts
from eyechart.report.sections.concepts.page import section
from eyechart.report.templates import render_section
from eyechart.tables.parquet import read_table, write_table

FOUR = NAMES[:4]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    root = tmp_path_factory.mktemp("concepts") / "results/concepts/m/d"
    write_tables(root, 3, FOUR)
    images, items = read_rows(root)
    vision = {
        "vision.0/cls": planted(images, (0, 1, 0), 32, names=FOUR),
        "vision.1/image_mean": planted(images, (0, 0, 0), 32, 1.5, names=FOUR),
        "connector/image_mean": planted(images, (0, 0, 1), 32, names=FOUR),
    }
    lm = {f"lm.{n}/last": planted(items, (1, 0, 0), 32, names=FOUR) for n in range(2)}
    manifests = [write_manifest(root, vision), write_manifest(root, lm, "item")]
    return run(root, manifests, [write_answers(root, "font")], shown=3)


@pytest.fixture
def concepts(paths):
    return read_concepts(paths)[0]


@pytest.fixture(scope="module")
def shown(paths):
    return section([read_concepts(paths)[0]], 0.01)


def test_one_column_per_component_is_shown_regardless_of_its_values(concepts):
    assert list(map(str, concepts.one_per_component())) == [
        "vision.1/image_mean", "connector/image_mean", "lm.1/last",
    ]  # fmt: skip
    assert list(map(str, concepts.columns()))[:2] == ["vision.0/cls", "vision.1/image_mean"]
    assert concepts.shown == 3


def test_sentences_follow_the_tests(concepts, shown):
    (block,) = shown["blocks"]
    verdicts = {(line["address"], line["verdict"]) for line in block["lines"]}
    assert verdicts == {
        ("vision.0", "font"), ("vision.1", ""), ("connector", "background"),
        ("lm.0", "word"), ("lm.1", "word"), ("answer", "font"),
    }  # fmt: skip
    vision, connector, lm, responses = block["sentences"]
    assert vision.startswith("Vectors at vision.1/image_mean follow no cue significantly; the most")
    assert "follow the background: 1.00 (95%: 1.00–1.00; chance 0.25; n = 24 in 14 gr" in connector
    assert lm.startswith("Vectors at lm.1/last follow the word: ")
    assert responses.startswith("The model's responses follow the font: 1.00")
    strict = section([concepts], 1e-12)["blocks"][0]
    assert {line["verdict"] for line in strict["lines"]} == {""}
    assert section([], 0.01) is None


def test_every_figure_is_drawn_with_its_table(paths, tmp_path):
    output = tmp_path / "figures/figures.json"
    draw.main(
        [
            *("--section", "concepts", "--tables", *map(str, paths)),
            *("--settings", '{"png_scale": 0.5}', "--output", str(output)),
        ]
    )
    files = [entry["path"] for entry in json.loads(output.read_text())["files"]]
    names = ["cues_by_components", "cues_by_address", "separation", "scatter", "confusion"]
    assert files == [f"{name}.{end}" for name in names for end in ("svg", "png", "csv")]
    assert all((output.parent / file).stat().st_size > 500 for file in files)
    points = pl.read_csv(output.parent / "cues_by_address.csv")
    at = points.filter(address="connector", cue="background").row(0, named=True)
    assert (at["share"], at["chance"], at["n"], at["components"]) == (1, 0.25, 24, 3)
    assert set(points.filter(address="answer")["span"]) == {"last"}
    svg = (output.parent / "scatter.svg").read_text()
    assert "principal" in (output.parent / "separation.svg").read_text()
    assert "concepts' variance" in svg.replace("&#39;", "'")


def test_rows_of_charts_are_those_of_the_tables(concepts):
    by_n = chart_concepts.by_n_rows(concepts, concepts.one_per_component())
    assert {row["components"] for row in by_n} == set(range(12))
    sums = {}
    for row in chart_concepts_maps.confusion_rows(concepts):
        key = row["column"], row["cue"], row["color"]
        sums[key] = sums.get(key, 0) + row["count"]
    assert len(sums) == 3 * 3 * 4
    assert set(sums.values()) == {6}
    means = chart_concepts_maps.mean_rows(concepts)
    followed = {("lm.1/last", "word"), ("connector/image_mean", "background")}
    for row in means:
        apart = abs(row["first"] - row["word_first"]) + abs(row["second"] - row["word_second"])
        if (row["column"], row["cue"]) in followed:
            assert apart < 0.3
    assert max(abs(row["word_first"] - row["first"]) for row in means) > 0.4


def test_few_of_many_words_are_drawn_and_all_are_counted(concepts, monkeypatch):
    monkeypatch.setattr(chart_concepts_maps, "MOST", 5)
    rows = chart_concepts_maps.scatter_rows(concepts)
    assert len(rows) == 3 * (5 + 12)
    assert len({row["image_id"] for row in rows if row["word"]}) == 5


def test_letters_distinguish_all_names():
    names = ["red", "rose", "r", "ro", "rs", "rre"]
    assert len(set(letters(names).values())) == len(names)
    assert letters(["blue", "brown", "black", "red"]) == {
        "blue": "b", "brown": "br", "black": "bl", "red": "r",
    }  # fmt: skip


def test_the_section_holds_every_number_and_escapes_names(shown):
    page = render_section(
        "concepts", **shown, criteria=Criteria(0.01, 0.1), settings={"figures": ["concepts"]}
    )
    assert page.count('<div class="chart"') == 5
    assert "<code>vision.0/cls</code>" in page
    assert page.count("<tr><th>") == 1 + 6
    data = page.split('data-for="concepts-d-m">')[1].split("</script>")[0]
    assert sorted(json.loads(data)) == [
        "by_address", "by_components", "confusion", "scatter", "separation",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "column", "words"),
    [
        ("cues", "chance", r"cues.parquet: row 0 \(vision.0\): chance is null, expected a number"),
        ("cues", "ci_low", r"ci_low is null"),
        ("separation", "control", r"separation.parquet: row 0 .*control is null"),
        ("projection", "first", r"first is null"),
        ("cues", "model", r"a row is about other on d, unlike its path"),
    ],
)
def test_tables_without_their_controls_are_refused(paths, tmp_path, name, column, words):
    folder = tmp_path / "results/concepts/m/d"
    for path in paths:
        table = pl.DataFrame(read_table(path))
        if path.stem == name:
            value = pl.lit("other" if column == "model" else None, table[column].dtype)
            first = pl.int_range(pl.len()) == 0
            table = table.with_columns(pl.when(first).then(value).otherwise(column).alias(column))
        write_table(folder / path.name, table.to_arrow().cast(read_table(path).schema))
    with pytest.raises(UserError, match=words):
        read_concepts([folder / path.name for path in paths])


def test_a_table_alone_is_refused(paths):
    with pytest.raises(UserError, match=r"projection.parquet was not given"):
        read_concepts(paths[:2])
