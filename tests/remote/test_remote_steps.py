"""The workflow's steps in an environment with an older transformers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from cases import QUESTIONS, SIZES, drawn, spec_of

ROOT = Path(__file__).parents[2]


def test_the_steps_of_the_workflow_write_shards(family, folder_of, importable, tmp_path):
    pictures = {f"p{n}": tmp_path / f"{n}.png" for n in range(3)}
    for image, path in zip(drawn(), pictures.values(), strict=True):
        image.save(path)
    images = {"image_id": list(pictures), "path": [str(p) for p in pictures.values()]}
    images |= {"width": [w for w, _ in SIZES], "height": [h for _, h in SIZES]}
    pq.write_table(pa.table(images), tmp_path / "images.parquet")
    items = {
        "item_id": ["q0", "q1", "q2"],
        "images": [[name] for name in pictures],
        "prompt": QUESTIONS,
        "group_split": ["test"] * 3,
        "group": ["a", "b", "c"],
        "choices": [["yes", "no"], ["red", "a red square"], []],
        "answer": ["yes", "red", "3"],
        "task": ["t"] * 3,
        "meta": ["{}"] * 3,
    }
    pq.write_table(pa.table(items), tmp_path / "items.parquet")
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(vars(spec_of(family))))
    settings = {
        "addresses": ["vision.*", "connector", "lm.*"],
        "spans": ["image_mean", "last"],
        "dtype": "float32",
        "batch_size": 2,
        "prompt": "{question}",
    }
    spec, checkpoint = tmp_path / "spec.yaml", folder_of(family)
    run("models.describe_model", importable, model=family, spec=spec, checkpoint=checkpoint,
        view=tmp_path / "view.json", output=tmp_path / "card.json")  # fmt: skip
    run("extraction.extract_activations", importable, model=family, dataset="d", spec=spec,
        checkpoint=checkpoint, card=tmp_path / "card.json", items=tmp_path / "items.parquet",
        images=tmp_path / "images.parquet", regions=[], part=0, parts=1,
        settings=json.dumps(settings), image_output=tmp_path / "image.parquet",
        item_output=tmp_path / "item.parquet")  # fmt: skip
    seen, read = (pq.read_table(tmp_path / f"{scope}.parquet") for scope in ("image", "item"))
    assert seen.column("image_id").to_pylist() == list(pictures)
    assert read.column("item_id").to_pylist() == items["item_id"]
    assert {"vision.0/image_mean", "connector/image_mean"} <= set(seen.column_names)
    assert {"lm.0/image_mean", "lm.0/last", "lm.norm/last"} <= set(read.column_names)
    for table in (seen, read):
        for name in table.column_names[1:]:
            assert np.isfinite(np.stack(table.column(name).to_numpy())).all()
    asked = {"prompt": "{question} {options}", "scoring": "letter", "orders": "all"}
    asked |= {"items": "test", "most": None, "greedy": "all", "greedy_tokens": 3, "batch_size": 2}
    asked |= {"statement": "{question} {choice}", "caption": "{statement}"}
    outputs = [tmp_path / f"{c}.parquet" for c in ("sighted", "blank", "swapped", "no_image")]
    run("behavior.answer_items", importable, model=family, dataset="d", spec=spec,
        checkpoint=checkpoint, card=tmp_path / "card.json", items=tmp_path / "items.parquet",
        images=tmp_path / "images.parquet", settings=json.dumps(asked), seed=1,
        part=0, parts=1, looks="{}", so_far=[], decided=[], outputs=outputs)  # fmt: skip
    for output in outputs:
        rows = pq.read_table(output).to_pylist()
        assert [(r["item_id"], r["order"]) for r in rows] == [
            ("q0", 0), ("q0", 1), ("q1", 0), ("q1", 1), ("q2", 0)
        ]  # fmt: skip
        scores = [score for row in rows for score in row["log_probability"]]
        assert len(scores) == 8
        assert np.isfinite(scores).all()
        assert all(row["text"] is not None for row in rows)


def run(step, importable, **flags):
    """Run a step as the workflow does, in a separate process."""
    words = []
    for name, value in flags.items():
        several = value if isinstance(value, list) else [value]
        words += [f"--{name.replace('_', '-')}", *map(str, several)]
    words += ["--loading", json.dumps({"device": "cpu"}), "--allow-remote-code"]
    path = os.pathsep.join([str(ROOT / "workflow"), str(importable)])
    done = subprocess.run(
        [sys.executable, "-m", f"eyechart.{step}", *words],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
