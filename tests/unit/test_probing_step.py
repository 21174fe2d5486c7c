"""The step as a command: its tables, its errors, and how they depend on inputs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from eyechart.core.errors import UserError
from eyechart.probing import train_probes
from eyechart.tables.activations import column
from eyechart.tables.items import ITEMS, images_schema
from eyechart.tables.parquet import write_table
from eyechart.tables.probes import PREDICTIONS, PROBES

N, TRAIN = 90, 60
SETTINGS = {
    "probes": {"linear": {}, "mlp": {"hidden": 8}},
    "seeds": 2,
    "split": "official",
    "device": "cpu",
    "folds": 3,
    "bootstrap": 50,
    "question_types": {"groups": 10, "answers": 3, "items": 10, "most": 64},
}
COLUMNS = {"lm.0/last": 5, "lm.1/last": 5, "lm.1/text_mean": 3}  # two widths


def _world(folder: Path, order: np.ndarray | None = None, **changes) -> Path:
    """Write a dataset and activations of both scopes; changes replace the answers or splits."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, N)
    answers = changes.get("answers", [("cube", "ball", "tube")[c] for c in y])
    inputs = {name: rng.standard_normal((N, d)) + y[:, None] for name, d in COLUMNS.items()}
    inputs |= changes.get("inputs", {})
    rows = []
    for i in range(N):
        side = changes.get("sides", ["train"] * TRAIN + ["val"] * (N - TRAIN))[i]
        common = {
            "split": side,
            "group_split": {"train": "test", "val": "train"}.get(side, side),
            "group": changes.get("groups", [f"g{j // 2}" for j in range(N)])[i],
            "type": f"t{i % 7}",
        }
        rows.append((f"x{i:03d}", answers[i], common))
    order = np.arange(N) if order is None else order
    items = [
        {"item_id": n, "task": "shape", "answer": a, "images": [], "prompt": "?", **c}
        for n, a, c in rows
    ]
    items.append(dict(items[0], item_id="y000", task="size"))  # a question of another task
    items = [items[i] for i in [*order, N]]
    images = [{"image_id": n, "label/majority": a, **c} for n, a, c in (rows[i] for i in order)]
    images.append(dict(images[0], image_id="z000") | {"label/majority": None})
    write_table(folder / "items.parquet", pa.Table.from_pylist(items, schema=ITEMS))
    schema = images_schema(["majority"])
    write_table(folder / "images.parquet", pa.Table.from_pylist(images, schema=schema))
    for scope in ("item", "image"):
        parts, half = [], N // 2
        for p, chosen in enumerate((order[:half], order[half:])):
            ids = {f"{scope}_id": [rows[i][0] for i in chosen]}
            data = {k: column(v[chosen].astype("float16"), k) for k, v in inputs.items()}
            write_table(folder / scope / f"part-{p:03d}.parquet", pa.table({**ids, **data}))
            parts.append({"path": f"part-{p:03d}.parquet"})
        entries = [
            {"name": n, "address": n.split("/")[0], "span": n.split("/")[1], "width": v.shape[1]}
            for n, v in inputs.items()
        ]
        entries.append({"name": "lm.0/image_tokens", "address": "lm.0", "width": 5})
        entries[-1]["span"] = "image_tokens"
        manifest = {"scope": scope, "columns": entries, "parts": parts}
        (folder / scope / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _argv(world: Path, task="shape", scope="item", image_manifest=(), **changes) -> list[str]:
    settings = json.dumps(SETTINGS | changes)
    paths = {
        "items": world / "items.parquet",
        "images": world / "images.parquet",
        "manifest": world / scope / "manifest.json",
        "output": world / "out.parquet",
        "predictions": world / "out.predictions.parquet",
    }
    named = {"model": "m", "dataset": "d", "task": task, "settings": settings, "seed": 7, **paths}
    words = [text for flag, value in named.items() for text in (f"--{flag}", str(value))]
    return [*words, "--image-manifest", *map(str, image_manifest)]


def _run(world: Path, **changes) -> tuple[pa.Table, pa.Table]:
    train_probes.main(_argv(world, **changes))
    return tuple(pq.read_table(world / f"out{s}.parquet") for s in ("", ".predictions"))


def _bytes(world: Path) -> list[bytes]:
    return [(world / f"out{s}.parquet").read_bytes() for s in ("", ".predictions")]


@pytest.mark.parametrize(("scope", "task"), [("item", "shape"), ("image", "majority")])
def test_tables_hold_every_address_probe_seed_and_kind_once(tmp_path, scope, task):
    metrics, predictions = _run(_world(tmp_path), scope=scope, task=task)
    assert metrics.schema.equals(PROBES)
    assert predictions.schema.equals(PREDICTIONS)
    rows = metrics.to_pylist()
    assert rows[0]["kind"] == "majority"
    assert (rows[0]["address"], rows[0]["span"], rows[0]["probe"], rows[0]["seed"]) == (
        "",
        "",
        "",
        None,
    )
    keys = {(f"{r['address']}/{r['span']}", r["probe"], r["seed"], r["kind"]) for r in rows[1:]}
    assert len(keys) == len(rows) - 1 == 3 * 2 * 2 * 2
    assert {key[0] for key in keys} == set(COLUMNS)
    assert {key[2] for key in keys} == {7, 8}
    assert predictions.num_rows == len(rows) * (N - TRAIN)
    assert {r["n_train"] for r in rows} == {TRAIN}
    assert {r["scope"] for r in rows} == {scope}


def test_every_number_can_be_audited_from_the_predictions(tmp_path):
    metrics, predictions = _run(_world(tmp_path))
    kept = predictions.to_pylist()
    size = N - TRAIN
    for i, row in enumerate(metrics.to_pylist()):
        own = kept[i * size : (i + 1) * size]
        assert all(
            p[k] == row[k] for p in own for k in ("address", "span", "probe", "seed", "kind")
        )
        assert [p["id"] for p in own] == [f"x{j:03d}" for j in range(TRAIN, N)]
        accuracy = np.mean([p["truth"] == p["prediction"] for p in own])
        assert row["accuracy"] == pytest.approx(accuracy)
        assert row["ci_low"] <= row["accuracy"] <= row["ci_high"]


def test_selectivity_is_task_minus_control_and_q_never_below_p(tmp_path):
    rows = _run(_world(tmp_path))[0].to_pylist()[1:]
    for task, by_type in zip(rows[::2], rows[1::2], strict=True):
        assert task["selectivity"] == pytest.approx(task["accuracy"] - by_type["accuracy"])
        assert task["selectivity_low"] <= task["selectivity"] <= task["selectivity_high"]
        assert task["q"] >= task["p"]
        assert by_type["q"] is by_type["cv_accuracy"] is by_type["p"] is None
        assert by_type["penalty"] == task["penalty"] > 0
        assert (task["epochs"] is None) == (task["probe"] == "linear")


def test_group_split_uses_its_own_column(tmp_path):
    metrics, _ = _run(_world(tmp_path), split="group")
    assert set(metrics["n_test"].to_pylist()) == {TRAIN}  # ``world`` has the reverse split


def test_row_order_of_the_inputs_does_not_change_the_output(tmp_path):
    _run(_world(tmp_path / "a"))
    _run(_world(tmp_path / "b", order=np.random.default_rng(1).permutation(N)))
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


@pytest.mark.slow
def test_another_process_with_another_hash_seed_writes_the_same_bytes(tmp_path):
    _world(tmp_path)
    written = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": "workflow"}
        command = [sys.executable, "-m", "eyechart.probing.train_probes", *_argv(tmp_path)]
        root = Path(train_probes.__file__).parents[3]
        subprocess.run(command, check=True, env=environment, cwd=root, capture_output=True)
        written.append(_bytes(tmp_path))
    assert written[0] == written[1]


def test_another_seed_changes_controls_but_never_the_test_set(tmp_path):
    _, predictions = _run(_world(tmp_path))
    rows = [r for r in predictions.to_pylist() if r["address"] == "lm.0" and r["probe"] == "linear"]
    truths = {
        (seed, kind): [
            (r["id"], r["truth"]) for r in rows if (r["seed"], r["kind"]) == (seed, kind)
        ]
        for seed in (7, 8)
        for kind in ("task", "control_type")
    }
    assert truths[7, "task"] == truths[8, "task"]
    assert truths[7, "control_type"] != truths[8, "control_type"]


@pytest.mark.parametrize(
    ("world", "call", "sentence"),
    [
        ({}, {"task": "shap"}, "no item task 'shap'; did you mean 'shape'"),
        ({}, {"task": "shape", "scope": "image"}, "no image task 'shape'; There are: majority"),
        ({"groups": ["one"] * N}, {}, "group 'one' is in both training and test"),
        ({"inputs": {"lm.0/last": np.full((N, 5), np.nan)}}, {}, "NaN or infinity"),
    ],
)
def test_bad_input_is_a_one_sentence_error_and_writes_nothing(tmp_path, world, call, sentence):
    _world(tmp_path, **world)
    with pytest.raises(UserError, match=sentence):
        _run(tmp_path, **call)
    assert not (tmp_path / "out.parquet").exists()


def test_an_item_without_activations_is_reported(tmp_path):
    _world(tmp_path)
    part = tmp_path / "item" / "part-001.parquet"
    write_table(part, pq.read_table(part).slice(1))
    with pytest.raises(UserError, match=r"no activations of 'x045' \(1 in total\)"):
        _run(tmp_path)


def _regional(rng, y, missing=()):
    """Return vectors of the referent, with the answer, and of another object, without it."""
    own = {"lm.1/referent": rng.standard_normal((N, 5)) + 3 * np.eye(3, 5)[y]}
    own["lm.1/other_object"] = rng.standard_normal((N, 5))
    for name in missing:
        own[name][[4, 70]] = np.nan
    return own


def test_a_planted_referent_is_found_and_another_object_is_at_chance(tmp_path):
    rng = np.random.default_rng(1)
    y = np.random.default_rng(0).integers(0, 3, N)  # the answers of ``world``
    metrics, _ = _run(_world(tmp_path, inputs=_regional(rng, y)))
    task = [r for r in metrics.to_pylist() if r["kind"] == "task" and r["probe"] == "linear"]
    found = {r["span"]: r for r in task if r["address"] == "lm.1"}
    assert found["referent"]["accuracy"] > 0.85
    assert found["referent"]["q"] < 0.05
    assert found["other_object"]["accuracy"] < 0.55  # chance is 1/3, with 30 test items
    assert found["other_object"]["q"] > 0.05


def test_a_span_without_the_region_of_some_example_is_left_out(tmp_path, caplog):
    rng, y = np.random.default_rng(1), np.random.default_rng(0).integers(0, 3, N)
    missing = ["lm.1/other_object"]
    metrics, _ = _run(_world(tmp_path, inputs=_regional(rng, y, missing)))
    assert set(metrics["span"].to_pylist()) == {"", "last", "text_mean", "referent"}
    assert "lm.1/other_object is not probed: 2 of 90 examples have no such region" in caplog.text
    assert "the first is x004" in caplog.text


def test_probes_are_trained_on_the_configured_device(tmp_path, monkeypatch):
    asked = []
    real = train_probes.read_inputs

    def read_inputs(manifest, name, rows, device):
        asked.append(str(device))
        return real(manifest, name, rows, device)

    monkeypatch.setattr(train_probes, "read_inputs", read_inputs)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    _run(_world(tmp_path))  # the settings say cpu, so a GPU is not used even if there is one
    assert set(asked) == {"cpu"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="device: 'cuda' requested, but none was found"):
        train_probes.main(_argv(tmp_path, device="cuda"))
