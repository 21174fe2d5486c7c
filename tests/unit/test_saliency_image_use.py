"""A model's use of the image, from hand-made tables and from a hand-built model."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import saliency_fixture as fixture
import torch
from tiny_models import spec

from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.saliency.inputs import weight_rows
from eyechart.tables.attention import SUMMARY as ATTENTION
from eyechart.tables.interventions import EFFECTS
from eyechart.tables.items import ITEMS
from eyechart.tables.notes import notes_of
from eyechart.tables.parquet import write_table
from eyechart.tables.responses import ANSWERS
from eyechart.tables.saliency import INPUTS

NAMED = {"model": "llava", "dataset": "mine"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the table of a model that reads one patch, from only its inputs."""
    folder = tmp_path_factory.mktemp("use")
    model = fixture.build_model(folder)
    data = tmp_path_factory.mktemp("data")
    fixture.build_data(data, 8)
    home = folder / "results/saliency/llava/mine"
    home.parent.mkdir(parents=True)
    fixture.run(home, model, data, methods=["gradient"], items=8)
    table = fixture.measure(folder / "results/saliency/llava.parquet", home / "inputs.parquet")
    return model, home, table


def rows_of(path, **where):
    return pl.read_parquet(path).filter(**where).to_dicts()


def test_missing_parts_are_noted(made):
    note = notes_of(made[2])["note"]
    for name in ("responses", "attention", "interventions"):
        assert f"no {name} of llava" in note


def test_norms_are_those_of_the_models_input_tokens(made):
    model, home, table = made
    adapter = load(spec("llava", model), model, LoadOptions("cpu"))
    (row,) = rows_of(table, metric="norm")
    assert row["control_value"] == 0  # the word embeddings of this model are zero
    assert row["n"] == 8 and row["ci_low"] <= row["value"] <= row["ci_high"]
    # one of 16 patches is coloured; all others are 0
    values = [r["value"] for r in rows_of(home / "inputs.parquet", metric="norm")]
    assert len(values) == 8 and min(values) > 0
    through = adapter.model.model.multi_modal_projector
    colour = torch.zeros(1, 16)
    colour[0, 0] = 1
    with torch.no_grad():
        assert max(values) < 4 * float(through(colour).norm())


def test_singular_values_are_those_of_the_connectors_matrices(made):
    model, _, table = made
    adapter = load(spec("llava", model), model, LoadOptions("cpu"))
    named = {r["address"].rsplit(".", 2)[-2]: r for r in rows_of(table, metric="singular")}
    ranks = {r["address"].rsplit(".", 2)[-2]: r for r in rows_of(table, metric="rank")}
    assert named["linear_1"]["value"] == pytest.approx(3)
    assert named["linear_2"]["value"] == pytest.approx(1)
    assert (
        ranks["linear_2"]["value"] == pytest.approx(3) and ranks["linear_1"]["control_value"] == 16
    )
    for row in weight_rows(adapter):
        weight = adapter.model.get_parameter(row["address"]).detach().numpy()
        if row["metric"] == "singular":
            assert row["value"] == pytest.approx(np.linalg.norm(weight, 2), rel=1e-5)


def test_answers_attention_and_cuts_come_from_the_tables_of_other_stages(tmp_path):
    results = tmp_path / "results"
    answers = results / "behavior/responses/llava/mine"
    items, sighted, blank = [], [], []
    for n in range(20):
        item = {"item_id": f"q{n:02}", "group": f"g{n}", "choices": ["a", "b"], "answer": "a"}
        items.append(item | {"task": ("one", "two")[n % 2], "images": ["p"], "prompt": "?"})
        own = NAMED | {"item_id": f"q{n:02}", "order": 0, "scoring": "mean"}
        own |= {"log_probability": [-1.0, -2.0], "tokens": [1, 1]}
        sighted.append(own | {"condition": "sighted", "predicted": "a"})
        blank.append(own | {"condition": "blank", "predicted": "b" if n % 4 == 0 else "a"})
    home = results / "datasets/mine/items.parquet"
    write_table(home, pa.Table.from_pylist(items, ITEMS))
    for name, rows in (("sighted", sighted), ("blank", blank)):
        write_table(answers / f"{name}.parquet", pa.Table.from_pylist(rows, ANSWERS))
    mass = NAMED | {"task": "one", "metric": "image_mass", "role": "image", "address": "lm.1"}
    mass |= {"value": 0.3, "ci_low": 0.2, "ci_high": 0.4, "chance": 0.8, "n": 5, "groups": 5}
    summary = results / "attention/llava/mine/summary.parquet"
    write_table(summary, pa.Table.from_pylist([mass, mass | {"head": 0}], ATTENTION))
    cut = NAMED | {"intervention": "knockout", "direction": "text", "target": "image"}
    cut |= {"task": "one", "metric": "moved", "address": "lm.0", "until": "lm.1", "value": 0.6}
    cut |= {"control_value": 0.0, "ci_low": 0.5, "ci_high": 0.7, "n": 9, "groups": 9}
    effects = results / "interventions/llava/mine/effects.parquet"
    others = [{"until": "lm.0"}, {"direction": "last"}, {"address": "best"}, {"metric": "right"}]
    write_table(effects, pa.Table.from_pylist([cut, *(cut | one for one in others)], EFFECTS))
    inputs = results / "saliency/llava/mine/inputs.parquet"
    write_table(inputs, pa.Table.from_pylist([], INPUTS))
    table = fixture.measure(
        results / "saliency/llava.parquet", inputs, items=[home], effects=[effects],
        responses=[answers / "sighted.parquet", answers / "blank.parquet"], attention=[summary],
    )  # fmt: skip
    changed = {row["task"]: row for row in rows_of(table, metric="changed_blank")}
    assert changed["one"]["value"] == 0.5 and changed["two"]["value"] == 0
    assert changed["one"]["n"] == 10 and changed["one"]["ci_low"] < 0.5 < changed["one"]["ci_high"]
    (row,) = rows_of(table, metric="image_mass")
    assert (row["value"], row["control_value"], row["address"]) == (0.3, 0.8, "lm.1")
    (row,) = rows_of(table, metric="cut_from")
    assert (row["value"], row["address"], row["n"]) == (0.6, "lm.0", 9)
    assert notes_of(table).get("note", "") == ""
