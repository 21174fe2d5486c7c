"""Questions without a region are probed by type if activations depend only on the image."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from eyechart.probing import question_types, train_probes
from eyechart.probing.examples import Examples, read_examples
from eyechart.report.sections.probing.load import read_task
from eyechart.tables.activations import column
from eyechart.tables.items import ANSWER, ITEMS, images_schema
from eyechart.tables.parquet import write_table
from eyechart.verdict.representations import read_probes

N, D, TYPES = 400, 8, 5
CHOSEN = {"groups": 30, "answers": 5, "items": 30, "most": 64}
SETTINGS = {"probes": {"linear": {}}, "seeds": 1, "split": "group", "device": "cpu", "folds": 3}
SETTINGS |= {"bootstrap": 100, "question_types": CHOSEN}


def _answers(rng, shares=(0.5,) * TYPES):
    """Return the yes/no answer for each image and question type, bool (n, types)."""
    return rng.random((N, TYPES)) < shares


def _features(rng, truth):
    """Return vectors that encode the answer to each type along its own direction, (n, d)."""
    directions = np.linalg.qr(rng.standard_normal((D, D)))[0][:TYPES]
    return rng.standard_normal((N, D)) + 6 * (truth - 0.5) @ directions


def _world(tmp_path, truth, inputs, *, asks=None, images=None, known=(), **manifests):
    """Write a dataset whose image i is asked type ``asks[i]``, and activations of both scopes."""
    asks = np.arange(N) % TYPES if asks is None else asks
    shown = [[f"i{i:03d}"] for i in range(N)] if images is None else images
    side = ["test" if i % 4 == 0 else "train" for i in range(N)]
    one = [{"split": "val", "group_split": s, "group": f"g{i:03d}"} for i, s in enumerate(side)]
    items = [
        {
            "item_id": f"q{i:03d}", "task": "exist", "images": shown[i], "prompt": "?",
            "answer": "yes" if truth[i, t] else "no", "type": f"wording {i}",
            "meta": json.dumps({"asks": f"t{t}"}), **one[i],
        }
        for i, t in enumerate(asks)
    ]  # fmt: skip
    pictures = [
        {"image_id": f"i{i:03d}", "type": f"c{i % 6}", **one[i]}
        | {f"{ANSWER}t{t}": "yes" if truth[i, t] else "no" for t in known}
        for i in range(N)
    ]
    write_table(tmp_path / "items.parquet", pa.Table.from_pylist(items, schema=ITEMS))
    schema = images_schema([], [f"{ANSWER}t{t}" for t in known])
    write_table(tmp_path / "images.parquet", pa.Table.from_pylist(pictures, schema=schema))
    columns = {"image": inputs, "item": {"lm.1/last": np.random.default_rng(9).random((N, 3))}}
    for scope, own in (columns | manifests).items():
        entries = [dict(zip(("address", "span"), n.split("/"), strict=True), name=n) for n in own]
        entries = [e | {"width": own[e["name"]].shape[1]} for e in entries]
        ids = pa.array([f"{'q' if scope == 'item' else 'i'}{i:03d}" for i in range(N)])
        data = {n: column(v.astype("float32"), n) for n, v in own.items()}
        write_table(tmp_path / scope / "part.parquet", pa.table({f"{scope}_id": ids, **data}))
        told = {"scope": scope, "columns": entries, "parts": [{"path": "part.parquet"}]}
        (tmp_path / scope / "manifest.json").write_text(json.dumps(told))
    return tmp_path


def _run(world, **changes):
    settings = SETTINGS | {"question_types": CHOSEN | changes}
    named = {"model": "m", "dataset": "d", "task": "exist", "settings": json.dumps(settings)}
    named |= {"items": world / "items.parquet", "images": world / "images.parquet", "seed": 7}
    named |= {"manifest": world / "item/manifest.json", "output": world / "out.parquet"}
    named |= {"image-manifest": world / "image/manifest.json"}
    named |= {"predictions": world / "out.predictions.parquet"}
    train_probes.main([text for k, v in named.items() for text in (f"--{k}", str(v))])
    rows = pq.read_table(world / "out.parquet").to_pylist()
    return rows, pq.read_table(world / "out.predictions.parquet").to_pylist()


def _typed(rows):
    """Return the floor and the task rows by address, for probes by type."""
    floor = next(r for r in rows if r["kind"] == "majority_type")
    return floor, {r["address"]: r for r in rows if r["kind"] == "task" and r["n_types"]}


def test_probes_per_type_find_signals_that_one_probe_for_all_misses(tmp_path):
    rng = np.random.default_rng(0)
    truth = _answers(rng)
    seen = _features(rng, truth)
    inputs = {"vision.0/cls": rng.standard_normal((N, D)), "vision.1/image_mean": seen}
    world = _world(tmp_path, truth, inputs, item={"lm.1/last": seen})
    rows, predictions = _run(world)
    floor, found = _typed(rows)
    assert found["vision.1"]["accuracy"] > 0.9
    assert found["vision.1"]["q"] < 0.01
    assert found["vision.1"]["selectivity_low"] > 0.15
    assert found["vision.0"]["p"] > 0.05
    assert abs(found["vision.0"]["accuracy"] - floor["accuracy"]) < 0.15
    assert {r["n_types"] for r in (floor, *found.values())} == {TYPES}
    assert {(r["scope"], r["span"]) for r in found.values()} == {
        ("item", "cls"),
        ("item", "image_mean"),
    }
    (together,) = (r for r in rows if r["kind"] == "task" and r["n_types"] is None)
    assert together["accuracy"] < 0.75, "the same vectors, without types"
    ids = {
        address: [p["id"] for p in predictions if (p["address"], p["kind"]) == (address, "task")]
        for address in ("lm.1", "vision.0", "vision.1")
    }
    assert (
        ids["lm.1"] == ids["vision.0"] == ids["vision.1"] == [f"q{i:03d}" for i in range(0, N, 4)]
    )


def test_probes_that_know_only_the_type_are_at_the_floor_and_never_significant(tmp_path):
    # a permutation across types would do so, since types differ in their most common answer
    rng = np.random.default_rng(1)
    truth = _answers(rng, (0.9, 0.1, 0.85, 0.15, 0.5))
    inputs = {f"vision.{i}/cls": rng.standard_normal((N, D)) for i in range(20)}
    rows, predictions = _run(_world(tmp_path, truth, inputs))
    floor, found = _typed(rows)
    assert floor["accuracy"] > 0.75
    assert abs(np.mean([r["accuracy"] for r in found.values()]) - floor["accuracy"]) < 0.03
    assert sum(r["p"] < 0.05 for r in found.values()) <= 4
    assert min(r["q"] for r in found.values()) > 0.05
    said = [p["truth"] == p["prediction"] for p in predictions if p["kind"] == "majority_type"]
    assert np.mean(said) == pytest.approx(floor["accuracy"])


def test_only_types_with_enough_groups_and_answers_are_probed(tmp_path):
    rng = np.random.default_rng(2)
    truth = _answers(rng)
    truth[:, 3] = True  # a type whose answer never changes
    asks = np.where(np.arange(N) < 40, 4, np.arange(N) // 4 % 4)  # and a rare type, with 30 groups
    world = _world(tmp_path, truth, {"vision.0/cls": _features(rng, truth)}, asks=asks)
    floor, found = _typed(_run(world, groups=31)[0])
    assert (floor["n_types"], found["vision.0"]["n_types"]) == (3, 3)
    tested = [t for i, t in enumerate(asks) if i % 4 == 0]
    assert floor["n_test"] == found["vision.0"]["n_test"] == sum(t < 3 for t in tested)
    assert floor["n_train"] == sum(t < 3 for i, t in enumerate(asks) if i % 4)
    assert _typed(_run(world)[0])[0]["n_types"] == 4
    assert _typed(_run(world, most=1, items=10)[0])[0]["n_types"] == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"groups": 61}, "0 of 100 test items are of a question type with at least 61 training "),
        ({"groups": 61}, "there are 5 types, with 60 training groups at most"),
        ({"answers": 50}, "two answers of 50 each"),
        ({"items": 101}, "100 of 100 test items are of a question type"),
    ],
)
def test_too_few_items_of_all_types_are_reported_in_the_table(tmp_path, changes, sentence):
    rng = np.random.default_rng(3)
    truth = _answers(rng)
    rows, predictions = _run(
        _world(tmp_path, truth, {"vision.0/cls": _features(rng, truth)}), **changes
    )
    floor, found = _typed(rows)
    assert sentence in floor["reason"]
    assert not found
    assert floor["accuracy"] is floor["n_types"] is None
    assert "majority_type" not in {p["kind"] for p in predictions}
    assert [r["kind"] for r in rows] == ["majority", "task", "control_type", "majority_type"]


def test_a_missing_image_span_is_given_as_the_reason(tmp_path):
    rng = np.random.default_rng(3)
    rows, _ = _run(_world(tmp_path, _answers(rng), {}, image={}))
    assert "extraction.spans" in _typed(rows)[0]["reason"]


def test_questions_about_several_images_are_omitted_and_counted(tmp_path, caplog):
    caplog.set_level("INFO")
    rng = np.random.default_rng(4)
    truth = _answers(rng)
    two = [[f"i{i:03d}", f"i{i - 1:03d}"] if i % 10 == 0 else [f"i{i:03d}"] for i in range(N)]
    inputs = {"vision.0/cls": _features(rng, truth)}
    rows, _ = _run(_world(tmp_path, truth, inputs, images=two))
    assert _typed(rows)[0]["n_test"] == 100 - 20
    assert "40 questions about several images are left out" in caplog.text
    rows, _ = _run(_world(tmp_path, truth, inputs, images=[["i000", "i001"]] * N))
    assert _typed(rows)[0]["reason"] == "every question is about several images"


def test_test_images_are_not_used_for_training(tmp_path):
    truth = _answers(np.random.default_rng(5))
    shown = [[f"i{i - i % 8:03d}"] if i % 8 == 1 else [f"i{i:03d}"] for i in range(N)]
    world = _world(tmp_path, truth, {"vision.0/cls": truth}, images=shown)
    pairs = _pairs(world)
    e = pairs.examples
    assert not set(pairs.images[e.train]) & set(pairs.images[~e.train])
    assert e.train.sum() == 300 - 50


def test_items_with_a_region_have_no_probes_by_type(tmp_path):
    rng = np.random.default_rng(6)
    truth = _answers(rng)
    own = {"lm.1/last": rng.random((N, 3)), "lm.1/referent": rng.random((N, 3))}
    rows, _ = _run(_world(tmp_path, truth, {"vision.0/cls": _features(rng, truth)}, item=own))
    assert {r["kind"] for r in rows} == {"task", "control_type", "majority"}


def _pairs(world, **changes) -> question_types.Pairs:
    tables = (world / "items.parquet", world / "images.parquet")
    examples: Examples = read_examples(*tables, "item", "exist", split="group", folds=3)
    return question_types.read_pairs(*tables, examples, "group", CHOSEN | changes)


def test_known_answers_allow_training_types_with_few_questions(tmp_path):
    rng = np.random.default_rng(7)
    truth = _answers(rng, (0.06, 0.5, 0.5, 0.5, 0.5))  # a rare answer, asked in balance
    asks = np.where(truth[:, 0] | (rng.random(N) < 0.08), 0, 1)
    world = _world(tmp_path, truth, {"vision.0/cls": _features(rng, truth)}, asks=asks, known=[0])
    few = _world(tmp_path / "few", truth, {"vision.0/cls": _features(rng, truth)}, asks=asks)
    assert set(_pairs(few, groups=60).examples.types) == {"t1"}
    pairs = _pairs(world, groups=60)
    e, weights = pairs.examples, pairs.weights
    own = e.train & (e.types == "t0")
    assert own.sum() == 300, "all images of the training set"
    asked = (asks == 0) & (np.arange(N) % 4 > 0)
    share = (truth[asked, 0].sum() + 5 * 0.5) / (asked.sum() + 5)
    yes = weights[own] @ (e.y[own] == 1) / weights[own].sum()
    assert yes == pytest.approx(share, abs=0.03)
    assert 0.3 < yes < 0.7, "although few images have it"
    found = _typed(_run(world, groups=60)[0])[1]["vision.0"]
    assert found["accuracy"] > 0.85


def test_a_types_probe_does_not_depend_on_other_types(tmp_path):
    rng = np.random.default_rng(8)
    truth = _answers(rng)
    x = _features(rng, truth)
    pairs = _pairs(_world(tmp_path, truth, {"vision.0/cls": x}))
    images, plan, _ = question_types.plans(pairs, "exist", 7, 1, 3)
    outcomes = train_probes.train(
        tmp_path / "image/manifest.json", images, plan, {"linear": {}}, torch.device("cpu")
    )
    (found,) = question_types.to_pairs(outcomes, pairs, plan)
    e = pairs.examples
    said = found.fit.predictions[0, 0]
    row = np.array([int(i[1:]) for i in pairs.images])
    mean, spread = x[row[e.train]].mean(0), x[row[e.train]].std(0)
    z = (x[row] - mean) / spread
    for name in np.unique(e.types):
        own = e.types == name
        c = 1 / (found.choice.penalty * (own & e.train).sum())
        alone = LogisticRegression(C=c, tol=1e-8).fit(z[own & e.train], e.y[own & e.train])
        assert (alone.predict(z[own & ~e.train]) == said[own[~e.train]]).mean() > 0.97


def test_the_verdict_reads_all_stages_on_the_items_of_types_with_a_probe(tmp_path):
    rng = np.random.default_rng(9)
    truth = _answers(rng)
    asks = np.where(np.arange(N) < 40, 4, np.arange(N) // 4 % 4)
    seen = _features(rng, truth)
    inputs = {"vision.0/cls": rng.random((N, D)), "vision.1/cls": seen, "lm.1/image_mean": seen}
    world = _world(tmp_path, truth, inputs, asks=asks)
    floor, found = _typed(_run(world, groups=31)[0])
    _, read = read_probes(world / "out.parquet", "m", "d", ["vision.1"])
    assert len(read.ids) == floor["n_test"] == 90
    assert read.majority.mean() == pytest.approx(floor["accuracy"])
    assert {"encoder", "lm_best", "position_best"} <= set(read.stages)
    address, right = read.stages["encoder"]
    assert (address, right.mean()) == ("vision.1/cls", pytest.approx(found["vision.1"]["accuracy"]))
    assert {len(right) for _, right in read.stages.values()} == {90}
    _run(world, groups=300)
    _, read = read_probes(world / "out.parquet", "m", "d", ["vision.1"])
    assert len(read.ids) == 100
    assert {stage.split("_")[0] for stage in read.stages} == {"position"}


def test_the_report_shows_types_with_their_own_floor(tmp_path, monkeypatch):
    rng = np.random.default_rng(10)
    truth = _answers(rng, (0.9, 0.1, 0.5, 0.5, 0.5))
    asks = np.where(np.arange(N) < 40, 4, np.arange(N) // 4 % 4)
    world = _world(tmp_path, truth, {"vision.1/cls": _features(rng, truth)}, asks=asks)
    monkeypatch.chdir(world)
    path = Path("results/probing/m/d/exist.parquet")
    for groups, components in ((31, {"vision", "lm"}), (300, {"lm"})):
        rows, _ = _run(world, groups=groups)
        for end in (".parquet", ".predictions.parquet"):
            write_table(path.with_suffix(end), pq.read_table(world / f"out{end}"))
        result = read_task(path, path.with_suffix(".predictions.parquet"))
        assert result.best["address"] == "lm.1", "the best over all items"
        assert set(result.components) == components
        known = {row["kind"]: row["accuracy"] for row in rows}
        shown = {name: best["majority"] for name, best in result.components.items()}
        expected = {"lm": known["majority"], "vision": known["majority_type"]}
        assert shown == {name: expected[name] for name in components}
        assert [c["n"] for c in result.comparisons] == [90] * (len(components) - 1)
