"""Saliency is complete, equals captum's, and is correct for a model that reads one patch."""

import json
from functools import partial

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
import saliency_fixture as fixture
import tiny_models
import torch
from PIL import Image
from scipy import stats

from eyechart.core.errors import UserError
from eyechart.models.describe_model import describe
from eyechart.models.hooks import attached
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.saliency import attributor, summarise
from eyechart.saliency.measure import deleted, drop, orders_of, random_orders
from eyechart.saliency.methods import METHODS, complete, integrated
from eyechart.saliency.settings import SaliencySettings
from eyechart.saliency.states import ConnectorStates, ModuleStates, states_at
from eyechart.saliency.subjects import prepare, subject
from eyechart.statistics.intervals import mean_interval
from eyechart.tables.notes import notes_of

SETTINGS = SaliencySettings(**fixture.SETTINGS)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return fixture.build_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    build, folder = fixture.build_model, tmp_path_factory.mktemp
    return {reads: build(folder("model"), reads) for reads in (True, False)}


@pytest.fixture(scope="module")
def made(models, data, tmp_path_factory):
    """Return the tables of a model that reads the patch, and of one that reads nothing."""
    folder = tmp_path_factory.mktemp("made")
    return {r: fixture.run(folder / str(r), models[r], data) for r in models}


@pytest.fixture(scope="module")
def random_llava(tmp_path_factory):
    """Return a LLaVA with random weights, and two questions about random images."""
    folder = tmp_path_factory.mktemp("llava")
    checkpoint = tiny_models.build_llava(folder)
    tables = tiny_models.build_dataset(folder, 2, [("a", [0], "what is it"), ("b", [1], "which")])
    paths = dict(pl.read_parquet(tables.images).select("image_id", "path").rows())
    items = pl.read_parquet(tables.items).to_dicts()
    more = {"choices": ["the cube", "colour"], "answer": "the cube", "task": "t", "group": "g"}
    kept = load(
        tiny_models.spec("llava", checkpoint), checkpoint, LoadOptions("cpu", attention="eager")
    )

    def questions(blank=False):
        draw = SETTINGS.blank if blank else lambda image: image
        asked = [prepare(kept, SETTINGS, item | more, paths, draw) for item in items]
        return subject(kept, asked)

    return questions


def test_every_method_points_to_the_one_patch_that_is_read(made, data):
    maps, curves = (pl.read_parquet(path) for path in made[True][:2])
    assert {(m, a) for m, a in curves.select("method", "address").rows()} == {
        *((m, "connector") for m in ("gradient", "integrated", "relevancy")),
        ("grad_cam", "vision.1"),
    }
    for row in maps.to_dicts():
        left, top = row["places"][int(np.argmax(row["saliency"]))][3:5]
        with Image.open(data / f"{row['image_id']}.png") as image:
            assert max(image.getpixel((int(left) + 1, int(top) + 1))) == 200, row["method"]
    assert curves["mass"].min() > 0.999  # nothing else supports the answer
    assert set(curves["ratio"].round(3)) == {16.0}


def test_deletion_and_region_beat_their_controls_where_the_model_reads(made):
    summary = pl.read_parquet(made[True][2])
    assert len(summary) == 8
    for row in summary.to_dicts():
        assert row["difference_low"] > 0 and row["q"] < 0.001, row
        assert row["groups"] == 24 and row["difference"] == pytest.approx(
            row["value"] - row["control_value"]
        )


def test_a_model_that_reads_nothing_does_not_differ_from_random_orders(made):
    rows = pl.read_parquet(made[False][2]).to_dicts()
    assert {row["metric"] for row in rows} == {"drop"}  # without a map, there are no shares of it
    for row in rows:
        assert row["difference"] == pytest.approx(0, abs=1e-6) and row["p"] == 1
    assert (
        "gradient at connector: no gradient reaches the image tokens"
        in notes_of(made[False][1])["note"]
    )


@pytest.mark.parametrize("address", ["connector", "vision.0", "vision.1"])
def test_integrated_gradients_are_complete(random_llava, address):
    states, blank = (states_at(random_llava(b), address) for b in (False, True))
    assert isinstance(states, ConnectorStates if address == "connector" else ModuleStates)
    x = states.x.clone()
    x[torch.cat(states.index)] = blank.x[torch.cat(blank.index)]
    with torch.no_grad():
        apart = (states.run(states.x) - states.run(x)).numpy()
    maps = integrated(states, blank, 64)
    assert complete(states, blank, maps) == [True, True]
    assert not all(complete(states, blank, [2 * own for own in maps]))
    found = [float(own.sum()) for own in maps]
    assert np.abs(apart).min() > 1e-3
    np.testing.assert_allclose(found, apart, rtol=0.01)


def test_gradients_and_integrated_gradients_equal_captums(random_llava):
    captum = pytest.importorskip("captum.attr", reason="NOT tested against captum: not installed")
    states, blank = (states_at(random_llava(b), "connector") for b in (False, True))
    count = len(states.x)

    def forward(x):  # captum evaluates many points of the path in one batch
        parts = x.reshape(-1, count, x.shape[-1])
        return torch.stack([states.run(part).sum() for part in parts])

    at, before = states.x[None].clone(), blank.x[None].clone()
    expected = captum.IntegratedGradients(forward).attribute(
        at, before, n_steps=24, method="gausslegendre", internal_batch_size=8
    )
    found = torch.cat(integrated(states, blank, 24))
    torch.testing.assert_close(found, expected[0].sum(dim=1).double(), atol=1e-5, rtol=1e-4)
    expected = captum.InputXGradient(forward).attribute(at.requires_grad_())
    found = torch.cat(METHODS["gradient"](states))
    torch.testing.assert_close(
        found, expected[0].sum(dim=1).double().detach(), atol=1e-6, rtol=1e-4
    )


def test_relevancy_equals_chefers_rule(random_llava):
    """The expected matrix R follows the paper's rule, one prompt at a time, without padding."""
    batch = random_llava()
    found = METHODS["relevancy"](states_at(batch, "connector"))
    for own, question in zip(found, batch.questions, strict=True):
        alone = ConnectorStates(subject(batch.adapter, [question]))
        weights = []
        layers = [f"model.language_model.layers.{n}.self_attn" for n in range(3)]
        see = partial(lambda kept, m, i, o: kept.append(o[1]), weights)
        with torch.enable_grad(), attached(batch.adapter.model, dict.fromkeys(layers, see)):
            score = alone.run(alone.x.clone().requires_grad_())
            slopes = torch.autograd.grad(score.sum(), weights)
        r = torch.eye(weights[0].shape[-1])
        for weight, slope in zip(weights, slopes, strict=True):
            r = r + (weight * slope).clamp(min=0).mean(dim=1)[0] @ r
        prompt = len(question.row.ids)
        image = torch.tensor(question.row.ids) == batch.adapter.image_id
        rows = r[prompt - 1 :].sum(dim=0)[:prompt]
        torch.testing.assert_close(own, rows[image].double().detach(), atol=1e-6, rtol=1e-4)


def test_grad_cam_is_the_mean_gradient_times_the_states(random_llava):
    states = states_at(random_llava(), "vision.1")
    slope = states.gradient(states.x)
    for own, index in zip(METHODS["grad_cam"](states), states.index, strict=True):
        expected = torch.stack([states.x[i] @ slope[index].mean(dim=0) for i in index])
        torch.testing.assert_close(own, expected.clamp(min=0).double())
    assert len(states.x) == 2 * 17 and [len(i) for i in states.index] == [16, 16]


@pytest.mark.parametrize("address", ["connector", "vision.1"])
def test_unchanged_states_give_the_answer_and_deletion_ends_at_the_mean(random_llava, address):
    states = states_at(random_llava(), address)
    with torch.no_grad():
        plain = states.subject.score(states.subject.encode(states.subject.images))
    torch.testing.assert_close(states.run(states.x), plain)
    mean = states.x[torch.cat(states.index)].mean(dim=0)
    every = [orders_of(METHODS["gradient"](states)), random_orders(states, 7, 0)]
    own, beside = deleted(states, every, mean, 4)
    np.testing.assert_allclose(own[:, [0, -1]], beside[:, [0, -1]])
    assert own.shape == (2, 5) and not np.allclose(own, beside)
    assert drop(np.array([3.0, 1.0, 1.0])) == pytest.approx((0 + 2 + 2 + 2) / 4)


def test_an_encoder_with_a_text_tower_is_explained_at_its_patches(tmp_path, data):
    checkpoint = tiny_models.build_clip(tmp_path)
    known = tiny_models.spec("clip", checkpoint)
    card = describe(load(known, checkpoint, LoadOptions("cpu")), "clip")
    (checkpoint / "card.json").write_text(json.dumps(card))
    tables = fixture.run(tmp_path / "out", checkpoint, data, known, items=6, steps=64)
    curves = pl.read_parquet(tables[1])
    assert set(curves.select("method", "address").rows()) == {
        (m, "vision.1") for m in ("gradient", "integrated", "grad_cam")
    }
    assert curves["drop"].is_not_null().all() and (curves["total"] != 0).any()
    assert "relevancy: llava has no address for it" in notes_of(tables[1])["note"]


def test_a_choice_can_be_the_target_and_one_that_no_item_has_is_refused(tmp_path, models, data):
    few = {"methods": ["gradient"], "items": 3}
    curves = pl.read_parquet(
        fixture.run(tmp_path / "a", models[True], data, target="colour", **few)[1]
    )
    assert set(curves["choice"]) == {"colour"} and len(curves) == 3
    with pytest.raises(UserError, match=r"saliency.target: 'color'; did you mean 'colour'"):
        fixture.run(tmp_path / "b", models[True], data, target="color", **few)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"addresses": ["lm.0"]}, "saliency.addresses: 'lm.0'"),
        ({"cam_addresses": ["connector"]}, "saliency.cam_addresses: 'connector'"),
        ({"addresses": ["vison.0"]}, "no address or module path 'vison.0'; did you mean"),
    ],
)
def test_addresses_of_another_kind_are_refused(tmp_path, models, data, changes, message):
    with pytest.raises(UserError, match=message):
        fixture.run(tmp_path, models[True], data, **changes)


def test_incomplete_items_get_more_steps_and_then_a_note(tmp_path, data, monkeypatch):
    checkpoint = tiny_models.build_llava(tmp_path)
    known = tiny_models.spec("llava", checkpoint)
    card = describe(load(known, checkpoint, LoadOptions("cpu")), "llava")
    (checkpoint / "card.json").write_text(json.dumps(card))
    how = {"methods": ["integrated"], "items": 6, "steps": 1, "addresses": ["vision.0"]}
    monkeypatch.setattr(attributor, "MORE", (1,))
    maps = fixture.run(tmp_path / "few", checkpoint, data, known, **how)[0]
    assert "raise saliency.steps" in notes_of(maps)["note"]
    monkeypatch.setattr(attributor, "MORE", (1, 64))
    more = fixture.run(tmp_path / "more", checkpoint, data, known, **how)[0]
    assert "raise saliency.steps" not in notes_of(more).get("note", "")
    assert pq.read_schema(maps).names[:2] == ["model", "dataset"]


def test_few_groups_have_the_interval_of_students_t_and_one_group_has_none():
    values, groups = np.array([1.0, 2.0, 4.0]), np.array(["a", "b", "c"])
    spread = values.std(ddof=1) / 3**0.5
    expected = stats.t.interval(0.95, 2, values.mean(), spread)
    assert mean_interval(values, groups) == pytest.approx(expected)
    row = summarise.measured(values, np.zeros(3), groups, 200, np.random.default_rng(1))
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(expected)
    assert row["difference_low"] < 0 and row["p"] == 0.25
    row = summarise.measured(
        values, np.zeros(3), np.array(["a"] * 3), 200, np.random.default_rng(1)
    )
    assert row["ci_low"] is None and row["difference_high"] is None and row["groups"] == 1
