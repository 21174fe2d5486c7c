"""A model's page on pairs is one static file that states the basis of its numbers."""

import base64
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from behavior_fixture import NINE, SETTINGS, write_behaviour
from browser import opened
from test_report_page import OUTSIDE

from eyechart.core.errors import UserError
from eyechart.report.sections.patterns import sheet
from eyechart.report.sections.patterns.load import read_comparisons, read_series
from eyechart.report.sections.patterns.radar import radar
from eyechart.report.sections.patterns.slope import GAP, slope, slope_rows, spread
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.scores import ALL, CORRELATIONS, PATTERNS

TABLES = "results/behavior/patterns"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mmvp")
    write_behaviour(root)
    for model in ("tiny_llava", "tiny_clip"):
        for name in ("patterns", "correlations"):
            table = root / f"{TABLES}/{name}.parquet"
            write_table(root / f"{TABLES}/{model}/{name}.parquet", read_table(table))
    return root


@pytest.fixture(autouse=True)
def _at_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


def words(output: Path, model: str = "tiny_llava", **changed: Any) -> list[str]:
    """Return the command line, with some flags changed."""
    data = "results/datasets/mmvp"
    answers = sorted(map(str, Path(f"results/behavior/responses/{model}/mmvp").glob("*.parquet")))
    given: dict[str, Any] = {
        "encoder": "tiny_clip",
        "patterns": f"{TABLES}/{model}/patterns.parquet",
        "correlations": f"{TABLES}/{model}/correlations.parquet",
        "scores": f"results/behavior/scores/{model}/mmvp.parquet",
        "distributions": f"results/behavior/scores/{model}/mmvp.distributions.parquet",
        "answers": answers,
        "items": f"{data}/items.parquet",
        "images": f"{data}/images.parquet",
        "settings": SETTINGS,
    } | changed
    own = {name: given.pop(name) for name in ("encoder", "settings")}
    tables = [str(p) for v in given.values() for p in (v if isinstance(v, list) else [v])]
    words = ["--model", model, "--encoder", own["encoder"], "--output", str(output)]
    return [*words, "--settings", json.dumps(own["settings"]), "--tables", *tables]


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        sheet.main(words(root / "page.html"))
    return (root / "page.html").read_text(encoding="utf-8")


def changed_tables(tmp_path: Path, old: str, new: str) -> dict[str, list[Path]]:
    """Write patterns and correlations with one text replaced."""
    found = {}
    for name, schema in (("patterns", PATTERNS), ("correlations", CORRELATIONS)):
        rows = read_table(Path(f"{TABLES}/{name}.parquet")).to_pylist()
        rows = [{k: new if v == old else v for k, v in row.items()} for row in rows]
        found[name] = [tmp_path / f"{TABLES}/tiny_llava/{name}.parquet"]
        table = pl.DataFrame(rows, infer_schema_length=None).to_arrow()
        write_table(found[name][0], table.select(schema.names).cast(schema))
    return found


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", " ", page)).split())


def test_the_page_needs_no_network_or_script(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "script" not in policy[1]
    assert "<script" not in page
    assert not re.findall(OUTSIDE, page)


def test_text_from_data_is_shown_and_never_executed(page):
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;" in page
    assert "onerror=alert(2)>" not in page
    charts = [base64.b64decode(t).decode() for t in re.findall(r"svg\+xml;base64,([^\"]*)", page)]
    assert len(charts) == 6  # pair accuracy, positions, answers, radar, two slopes
    assert not any("<script" in chart or "<img" in chart for chart in charts)


def test_building_again_gives_the_same_bytes(page, tmp_path):
    sheet.main(words(tmp_path / "again.html"))
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_the_page_states_the_basis_of_its_numbers(page):
    said = text_of(page)
    assert "of 27 pairs are right" in said
    assert "chance is 0.25" in said
    assert "Single responses" in said
    assert "With the published label corrections: 1 label was changed." in said
    assert "so n = 9 in each correlation. This is small" in said
    assert "tiny_clip is the encoder inside the VLM." in said
    assert all(f"<th>{kind}</th>" in page for kind in NINE)
    assert "Pearson" in said
    assert "Spearman" in said


def test_an_encoders_page_states_what_it_does_not_answer(tmp_path):
    patterns = pl.DataFrame(read_table(Path(f"{TABLES}/patterns.parquet")))
    own = patterns.filter(model="tiny_clip").to_arrow().cast(PATTERNS)
    alone = {
        name: [tmp_path / f"{TABLES}/tiny_clip/{name}.parquet"]
        for name in ("patterns", "correlations")
    }
    write_table(alone["patterns"][0], own)
    write_table(alone["correlations"][0], CORRELATIONS.empty_table())
    sheet.main(words(tmp_path / "clip.html", "tiny_clip", encoder="", **alone))
    said = text_of((tmp_path / "clip.html").read_text(encoding="utf-8"))
    assert "A vision encoder with a text tower" in said
    assert "Not supported by this model: no image." in said
    assert "This page is about the encoder alone" in said
    assert "Correlation over patterns" not in said


def test_the_page_states_that_patterns_are_unknown(root, tmp_path, monkeypatch):
    for name in ("items.parquet", "images.parquet"):
        table = pl.DataFrame(read_table(Path(f"results/datasets/mmvp/{name}")))
        table = table.with_columns(task=pl.lit("mmvp")) if "task" in table.columns else table
        write_table(tmp_path / f"results/datasets/mmvp/{name}", table.to_arrow())
    flags = {n: [tmp_path / f"results/datasets/mmvp/{n}.parquet"] for n in ("items", "images")}
    for end in ("", ".distributions"):
        table = pl.DataFrame(
            read_table(Path(f"results/behavior/scores/tiny_llava/mmvp{end}.parquet"))
        )
        whole = table.filter(task=ALL)
        both = pl.concat([whole, whole.with_columns(task=pl.lit("mmvp"))])
        write_table(
            tmp_path / f"results/behavior/scores/tiny_llava/mmvp{end}.parquet", both.to_arrow()
        )
    flags["scores"] = [tmp_path / "results/behavior/scores/tiny_llava/mmvp.parquet"]
    flags["distributions"] = [
        tmp_path / "results/behavior/scores/tiny_llava/mmvp.distributions.parquet"
    ]
    patterns = pl.DataFrame(read_table(Path(f"{TABLES}/patterns.parquet"))).filter(pattern=ALL)
    both = pl.concat([patterns, patterns.with_columns(pattern=pl.lit("mmvp"))])
    flags["patterns"] = [tmp_path / f"{TABLES}/tiny_llava/patterns.parquet"]
    write_table(flags["patterns"][0], both.to_arrow().cast(PATTERNS))
    sheet.main(words(tmp_path / "page.html", **flags))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "The pattern of these items is unknown" in page
    assert "share no named pattern" in page
    assert "Radar chart" not in page
    assert "Worst pairs" in page


def test_a_model_without_pairs_is_reported(tmp_path):
    coco = {
        "scores": ["results/behavior/scores/tiny_llava/coco.parquet"],
        "distributions": ["results/behavior/scores/tiny_llava/coco.distributions.parquet"],
        "answers": [],
        "items": ["results/datasets/coco/items.parquet"],
        "images": ["results/datasets/coco/images.parquet"],
    }
    coco["answers"] = sorted(map(str, Path("results/behavior/responses/tiny_llava/coco").glob("*")))
    with pytest.raises(UserError, match=r"tiny_llava has no 'pair_accuracy' in .*coco\.parquet"):
        sheet.main(words(tmp_path / "page.html", **coco))
    small = {"settings": {**SETTINGS, "megabytes": 0.01}}
    with pytest.raises(UserError, match=r"expected at most 0\.01; .*worst_pairs"):
        sheet.main(words(tmp_path / "page.html", **small))
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("table", "field", "where"),
    [
        ("patterns", "chance", "tiny_clip, color: 'accuracy' without 'chance'"),
        ("patterns", "ci_low", "tiny_clip, color: 'accuracy' without 'ci_low'"),
        ("patterns", "pairs", "tiny_clip, color: 'accuracy' without 'pairs'"),
        ("correlations", "p", "tiny_clip, tiny_llava, pearson: 'r' without 'p'"),
        ("correlations", "q", "tiny_clip, tiny_llava, pearson: 'r' without 'q'"),
    ],
)
def test_a_number_without_its_statistics_is_refused(tmp_path, table, field, where):
    schema = {"patterns": PATTERNS, "correlations": CORRELATIONS}[table]
    rows = pl.DataFrame(read_table(Path(f"{TABLES}/{table}.parquet")))
    key = {"patterns": ("pattern", "color"), "correlations": ("kind", "pearson")}[table]
    own = (pl.col(key[0]) == key[1]) & pl.any_horizontal(pl.col(pl.String) == "tiny_clip")
    bare = rows.with_columns(pl.when(~own).then(pl.col(field)).alias(field))
    path = tmp_path / f"{TABLES}/tiny_llava/{table}.parquet"
    write_table(path, bare.to_arrow().cast(schema))
    with pytest.raises(UserError, match=where):
        sheet.main(words(tmp_path / "page.html", **{table: [path]}))


def test_a_correlation_without_patterns_is_refused(tmp_path):
    other = changed_tables(tmp_path, "tiny_clip", "huge_clip")["correlations"]
    with pytest.raises(UserError, match="encoder huge_clip on mmvp_vlm has no pair accuracies"):
        sheet.main(words(tmp_path / "page.html", correlations=other))


def test_charts_draw_every_pattern_at_its_value():
    series = read_series([Path(f"{TABLES}/patterns.parquet")])
    comparison = read_comparisons([Path(f"{TABLES}/correlations.parquet")], series)[-1]
    rows = slope_rows(comparison)
    assert [r["pattern"] for r in rows if r["side"] == 0] == NINE
    for row in rows:
        one = (comparison.encoder, comparison.vlm)[row["side"]].at(row["pattern"])
        assert one
        assert row["accuracy"] == pytest.approx(one["accuracy"], abs=1e-4)
    points = radar([comparison.vlm])["datasets"]["points"]
    for point in points:
        length = (point["x"] ** 2 + point["y"] ** 2) ** 0.5
        assert length == pytest.approx(point["accuracy"], abs=1e-3)
    assert points[0]["pattern"] == points[-1]["pattern"] == NINE[0]  # the polygon is closed
    assert slope(comparison)["datasets"]["points"] == rows


@pytest.mark.parametrize("values", [[0.5] * 9, [0, 0, 0.02, 1, 1, 0.98], [0.2, 0.8], [0.3, 0.34]])
def test_labels_keep_their_distance_and_order_and_stay_on_the_chart(values):
    placed = spread(values)
    for i, one in enumerate(values):
        for j, other in enumerate(values):
            if i != j:
                assert abs(placed[i] - placed[j]) >= GAP - 1e-9
            if one < other:
                assert placed[i] < placed[j]
    assert min(placed) > -1e-9
    assert max(placed) < 1 + 1e-9


def test_labels_that_have_room_stay_where_they_are():
    assert spread([0.9, 0.2, 0.5]) == [0.9, 0.2, 0.5]


@pytest.mark.browser
def test_the_page_draws_in_a_browser_without_a_console_message(root, page):
    with opened(root / "page.html") as (view, console):
        assert "Worst pairs" in view.content()
    assert console == []
