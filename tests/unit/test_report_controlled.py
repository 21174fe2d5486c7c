"""The section on controlled models: stages next to answers, and the curve of mixtures."""

import json

import pyarrow as pa
import pytest

from eyechart.core.errors import UserError
from eyechart.report.files import Inputs
from eyechart.report.sections.controlled.page import context
from eyechart.report.templates import render_section
from eyechart.tables.parquet import read_table, write_table
from eyechart.tables.scores import SCORES
from eyechart.tables.verdict import VALUES

ONE = {"mix": None, "share": 0.0, "connector": "mlp", "trains": "connector"}
BUILT = {
    "a": ONE | {"encoders": ["clip"]},
    "b": ONE | {"encoders": ["clip", "dino"], "mix": "additive", "share": 0.25},
    "c": ONE | {"encoders": ["clip", "dino"], "mix": "interleaved"},
    "d": ONE | {"encoders": ["dino"]},
}
PAIRS = {"a": 0.25, "b": 0.5, "c": 0.75, "d": 0.375}
MEASURED = {
    "mmvp": lambda value: [
        ("sighted", "pair_accuracy", value, 0.25),
        ("sighted", "unparsed", 0.125, None),
        ("no_image", "accuracy", 0.5, 0.5),
    ],
    "scenes": lambda value: [
        ("sighted", "cider_d", 8 * value, None),
        ("sighted", "bleu_4", 0.875, None),
        ("blank", "cider_d", 0.75, None),
    ],
}


@pytest.fixture
def paths(tmp_path):
    found = []
    for model, how in BUILT.items():
        found.append(tmp_path / f"data/models/{model}/ready.json")
        found[-1].parent.mkdir(parents=True)
        found[-1].write_text(json.dumps({"recipe": {"built": how}, "files": []}))
        for dataset, measures in MEASURED.items():
            base = {"model": model, "dataset": dataset, "task": "all", "n": 80, "groups": 80}
            rows = [
                base | {"condition": on, "metric": m, "value": v, "chance": c}
                | {"ci_low": v - 0.1, "ci_high": v + 0.05}
                for on, m, v, c in measures(PAIRS[model])
            ]  # fmt: skip
            found.append(tmp_path / f"results/behavior/scores/{model}/{dataset}.parquet")
            write_table(found[-1], pa.Table.from_pylist(rows, SCORES))
        named = {"model": model, "dataset": "clevr", "skill": "color", "band": "question"}
        values = {"encoder": 0.9, "connector": 0.8, "sighted": PAIRS[model], "blind": 0.125}
        rows = [
            named | {"stage": s, "address": "", "evidence": "probe", "value": v, "floor": 0.1}
            | {"ci_low": v - 0.1, "ci_high": v + 0.05, "chance": 0.125, "n": 60, "groups": 50}
            for s, v in values.items()
        ]  # fmt: skip
        found.append(tmp_path / f"results/verdict/{model}.parquet")
        write_table(found[-1], pa.Table.from_pylist(rows, VALUES))
    return found


def test_mixtures_form_one_curve_with_single_encoders_at_its_ends(paths):
    points = context(Inputs(paths), {})["points"]
    pairs = [p for p in points if p["measure"] == "pairs: mmvp"]
    assert [(p["model"], p["share"], p["interleaved"], p["value"]) for p in pairs] == [
        ("a", 0.0, False, 0.25),
        ("b", 0.25, False, 0.5),
        ("d", 1.0, False, 0.375),
        ("c", 0.0, True, 0.75),
    ]
    parsed = next(p for p in points if p["measure"] == "parsed: mmvp")
    assert [parsed[n] for n in ("value", "low", "high")] == pytest.approx([0.875, 0.825, 0.975])
    assert {p["n"] for p in points} == {80}


def test_the_page_shows_stages_and_answers_with_intervals_n_and_chance(paths):
    found = context(Inputs(paths), {})
    page = render_section("controlled", **found, settings={}, criteria=None)
    row = next(part for part in page.split("<tr>") if "<td>b</td><td>clip, dino" in part)
    for number in ("additive 0.25", "<b>0.90</b>", "0.80 to 0.95", "<b>0.50</b>", ">60<", "0.12<"):
        assert number in row, (number, row)
    assert row.count("–") == 1  # no address of the language model was read
    assert list(found["charts"]) == ["share", "CIDEr-D"]
    for scale, spec in found["charts"].items():
        assert f'data-chart="{scale}"' in page
        rows = spec["datasets"]["points"]
        assert {"low", "high"} <= set(rows[0])
        names = {row["measure"] for row in rows}
        assert len(rows) == 4 * len(names)
        assert len(names) == {"CIDEr-D": 2, "share": 3}[scale]


def shown(paths):
    return render_section("controlled", **context(Inputs(paths), {}), settings={}, criteria=None)


def test_properties_that_all_models_share_are_stated_once_instead_of_in_a_column(paths):
    page = shown(paths)
    assert "<th>trained</th>" not in page and "<th>connector</th>" not in page
    assert "Connector of all models: mlp. Trained in all models: connector." in page
    ready = next(p for p in paths if p.name == "ready.json")
    how = BUILT["a"] | {"connector": "qformer", "trains": "all"}
    ready.write_text(json.dumps({"recipe": {"built": how}, "files": []}))
    page = shown(paths)
    assert "<th>trained</th>" in page and "<th>connector</th>" in page
    assert "<td>qformer</td><td>all</td>" in page and "of all models" not in page


def test_only_available_measures_are_explained(paths):
    page = shown(paths)
    assert all(f"{name}:" in page for name in ("Pairs", "Parsed", "Text only", "Captions"))
    for path in [p for p in paths if p.name == "mmvp.parquet"]:
        rows = read_table(path, SCORES.names).to_pylist()[:1]
        write_table(path, pa.Table.from_pylist(rows, SCORES))
    page = shown([p for p in paths if p.name != "scenes.parquet"])
    assert "Pairs:" in page
    assert not any(f"{name}:" in page for name in ("Parsed", "Text only", "Captions"))


@pytest.mark.parametrize(("left_out", "line"), [("c", True), ("b", False)])
def test_a_line_connects_only_encoders_whose_tokens_are_added(paths, left_out, line):
    used = [p for p in paths if left_out not in {p.parent.name, p.stem}]
    spec = context(Inputs(used), {})["charts"]["share"]
    assert ("line" in {layer["mark"]["type"] for layer in spec["layer"]}) == line
    assert len(spec["datasets"]["points"]) == 3 * 3


def test_captions_have_their_own_scale_and_white_images_as_control(paths):
    points = [p for p in context(Inputs(paths), {})["points"] if p["scale"] == "CIDEr-D"]
    seen = {p["model"]: p for p in points if p["measure"] == "captions: scenes"}
    control = [p for p in points if p["measure"] == "captions of white images: scenes"]
    for model, value in PAIRS.items():
        own = [seen[model][name] for name in ("value", "low", "high")]
        assert own == pytest.approx([8 * value, 8 * value - 0.1, 8 * value + 0.05])
    assert {p["value"] for p in control} == {0.75} and len(control) == len(PAIRS)
    assert {p["chance"] for p in points} == {None}


def test_a_score_of_captions_without_an_interval_is_refused(paths):
    path = next(p for p in paths if p.name == "scenes.parquet" and p.parent.name == "b")
    rows = read_table(path, SCORES.names).to_pylist()
    rows[0]["ci_low"] = None
    write_table(path, pa.Table.from_pylist(rows, SCORES))
    with pytest.raises(UserError, match=r"row 0 \(cider_d\): no ci_low"):
        context(Inputs(paths), {})


def test_without_controlled_models_there_is_no_section_and_without_mixtures_no_curve(paths):
    assert context(Inputs([p for p in paths if p.name != "ready.json"]), {}) is None
    alone = context(Inputs([p for p in paths if not {"b", "c"} & {p.parent.name, p.stem}]), {})
    assert alone["points"] == [] and alone["charts"] == {} and len(alone["rows"]) == 2


@pytest.mark.parametrize("column", ["ci_low", "n", "chance"])
def test_a_value_without_interval_n_or_chance_is_refused(paths, column):
    path = next(p for p in paths if "verdict" in str(p))
    rows = read_table(path, VALUES.names).to_pylist()
    rows[1][column] = None
    write_table(path, pa.Table.from_pylist(rows, VALUES))
    with pytest.raises(UserError, match=rf"row 1 \(connector\): no {column}"):
        context(Inputs(paths), {})
