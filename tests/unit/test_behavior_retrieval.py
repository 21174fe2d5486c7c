"""Retrieval: captions matched with images, from vectors and with the step."""

import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_behavior_answers import ROWS, item
from test_extraction_steps import Project, flags

from eyechart.behavior import retrieve
from eyechart.behavior.retrieve import Captions, missed, ranks, recalls
from eyechart.tables.items import ITEMS
from eyechart.tables.scores import SCORES

CAPTIONS = [
    item("k0", ["p000"], [], meta=json.dumps({"references": ["the cube", "red"]})),
    item("k1", ["p001"], [], meta=json.dumps({"references": ["the cube"]})),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("retrieval"))


def by_hand(views, words, captions, depths=(1, 5, 10)):
    """Rank all candidates by similarity; ties rank before the correct one."""
    score = views @ words.T
    found = {}
    every = list(zip(captions.image, captions.text, strict=True))
    for depth in depths:
        right = []
        for n in range(len(views)):
            best = max(score[n, t] for p, t in every if p == n)
            right.append(sum(score[n, t] >= best for p, t in every if p != n) < depth)
        found[f"recall_{depth}_text"] = np.mean(right)
        right = [(score[:, t] >= score[p, t]).sum() - 1 < depth for p, t in every]
        found[f"recall_{depth}_image"] = np.mean(right)
    return found


@pytest.mark.parametrize("block", [3, 512])
def test_recall_equals_manual_sorting_with_ties_counted_against(block, monkeypatch):
    monkeypatch.setattr(retrieve, "BLOCK", block)
    rng = np.random.default_rng(0)
    views, words = rng.integers(-1, 2, (13, 3)) * 1.0, rng.integers(-1, 2, (20, 3)) * 1.0
    picture, text = np.repeat(np.arange(13), 2), rng.integers(0, 20, 26)
    groups = np.array([f"g{n // 2}" for n in range(13)])
    captions = Captions([f"p{n}" for n in range(13)], groups, list("abcdefghijklmnopqrst"),
                        picture, text)  # fmt: skip
    rows = {r["metric"]: r for r in recalls(captions, *ranks(views, words, captions), 200, 1)}
    for metric, value in by_hand(views, words, captions).items():
        assert rows[metric]["value"] == pytest.approx(value, abs=1e-12)
        assert rows[metric]["ci_low"] <= value <= rows[metric]["ci_high"]
    assert {r["groups"] for r in rows.values()} == {7}
    assert rows["recall_1_image"]["chance"] == pytest.approx(1 / 13)
    assert rows["recall_5_text"]["chance"] == pytest.approx(1 - missed(26, 2, 5))


def test_perfect_vectors_rank_first_and_equal_ones_do_not():
    eye = np.eye(12)
    one = np.arange(12)
    captions = Captions([str(n) for n in one], np.array([str(n) for n in one]),
                        [str(n) for n in one], one, one)  # fmt: skip
    assert all(r["value"] == 1 for r in recalls(captions, *ranks(eye, eye, captions), 100, 1))
    same = np.ones((12, 2))
    values = [r["value"] for r in recalls(captions, *ranks(same, same, captions), 100, 1)]
    assert values == [0.0] * 6
    assert missed(4, 2, 2) == pytest.approx(1 / 6)
    assert missed(4, 1, 10) == 0


def test_the_step_writes_recall_in_both_directions(project, tmp_path):
    def run(rows, out):
        pq.write_table(pa.Table.from_pylist(rows, ITEMS), tmp_path / "items.parquet")
        retrieve.main(
            flags(model="clip", dataset="d", spec=project.folder / "clip.yaml",
                  checkpoint=project.models["clip"], items=tmp_path / "items.parquet",
                  images=project.data.images, seed=1, loading={"device": "cpu"}, output=out,
                  settings={"caption": "{statement}", "bootstrap": 100, "batch_size": 2})
        )  # fmt: skip
        return pq.read_table(out)

    table = run([*ROWS, *CAPTIONS], tmp_path / "out.parquet")
    assert table.schema.equals(SCORES)
    rows = {r["metric"]: r for r in table.to_pylist()}
    assert list(rows) == [f"recall_{k}_{w}" for w in ("text", "image") for k in (1, 5, 10)]
    assert [rows[f"recall_1_{w}"]["n"] for w in ("text", "image")] == [2, 3]
    values = [rows[f"recall_{k}_text"]["value"] for k in (1, 5, 10)]
    assert all(a <= b for a, b in pairwise(values))
    run([*ROWS, *CAPTIONS], tmp_path / "again.parquet")
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "again.parquet").read_bytes()
    none = run(ROWS, tmp_path / "none.parquet")
    assert none.schema.equals(SCORES)
    assert len(none) == 0
