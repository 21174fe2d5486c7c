"""Two pretrained encoders on photographs, through the real Snakefile (`make test-real`)."""

import json
import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from photographs import write_scenes, write_views
from project import ROOT as HERE
from project import Project

from eyechart import results

MADE = HERE / "data/encoders"
COCO = "EYECHART_COCO"  # a folder in COCO's official layout
ENCODERS = ("dinov2_small", "clip_vit_b16_vision")
CARDS = {  # parameters, width, blocks, patches of 224 × 224, further addresses
    "dinov2_small": (22_056_576, 384, 12, 256, []),
    "clip_vit_b16_vision": (86_192_640, 768, 12, 196, ["connector"]),
}
VECTORS = {"dinov2_small": "vision.11/cls", "clip_vit_b16_vision": "connector/cls"}
CONFIG = {
    "models": list(ENCODERS),
    "checkpoints": {name: str(MADE / name) for name in ENCODERS},
    "extraction": {"addresses": ["vision.[37]", "vision.11", "connector"]},
    "readout": {"addresses": ["vision.[37]"]},
    "probing": {"seeds": 1, "bootstrap": 200, "probes": {"mlp": None}},
    "mining": {"pairs": [list(ENCODERS)], "vectors": VECTORS, "similar": 0.6, "different": 0.5},
}
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (MADE / "made").exists(),
        reason="pretrained encoders were NOT examined: `make encoders` has not run",
    ),
]


def run(folder, config):
    """Run a new project up to the page; return it and Snakemake's output."""
    project = Project.create(folder)
    project.config = {**CONFIG, **config}
    project.configure({})
    return project, project.finish()


@pytest.fixture(scope="module")
def exam(tmp_path_factory):
    """The exam on photographs from Python packages: the project and its output."""
    folder = tmp_path_factory.mktemp("photographs")
    write_scenes(folder / "scenes", MADE / "photographs")
    write_views(folder / "views", MADE / "photographs")
    box = {name: name for name in ("left", "top", "right", "bottom")}
    scenes = {"layout": "table", "source": "local", "path": str(folder / "scenes/scenes.csv")}
    scenes |= {"columns": {**box, "labels": {"cat": "cat"}}, "tasks": ["thing", "cat"]}
    views = {"layout": "hpatches", "source": "local", "path": str(folder / "views")}
    spans = ["cls", "image_mean", "referent", "referent_center", "other_object"]
    config = {
        "datasets": {"scenes": {**scenes, "test_share": 0.4}, "views": views},
        "extraction": {**CONFIG["extraction"], "spans": spans},
        "mining": {**CONFIG["mining"], "datasets": ["scenes"]},
    }
    return run(folder / "project", config)


@pytest.mark.parametrize("model", ENCODERS)
def test_the_card_has_the_sizes_of_the_published_model(model, exam):
    card = json.loads(exam[0].path(f"results/models/{model}/card.json").read_text())
    parameters, width, blocks, tokens, more = CARDS[model]
    assert (card["parameters"], card["image_tokens"]) == (parameters, tokens)
    assert [a["address"] for a in card["addresses"]] == [
        f"vision.{n}" for n in range(blocks)
    ] + more
    assert {a["width"] for a in card["addresses"] if a["address"] != "connector"} == {width}
    assert not card["reads_text"]


def test_questions_that_need_a_text_tower_are_reported_and_the_rest_run(exam):
    project, output = exam
    sentence = "have no text tower, so they answer no questions; everything else is examined"
    assert Counter(output.split("\n"))[f"eyechart: {', '.join(ENCODERS)} {sentence}"] == 1
    assert not project.path("results/behavior").exists()
    page = project.path("results/report/index.html").read_text()
    assert page.count("without a text tower, so it answers no questions") == len(ENCODERS)


def value(table, **at):
    """Return the only row of a table with these values."""
    (found,) = table.filter(*(pl.col(k) == v for k, v in at.items())).to_dicts()
    return found


@pytest.mark.parametrize("model", ENCODERS)
def test_a_boxs_content_is_decoded_there_and_not_at_another_box(model, exam):
    probes = pl.read_parquet(exam[0].path(f"results/probing/{model}/scenes/thing.parquet"))
    for span in ("referent", "referent_center"):
        row = value(probes, address="vision.7", span=span, kind="task")
        assert row["accuracy"] > 0.9 and row["n_test"] > 80 and row["q"] < 0.001
        assert value(probes, address="vision.7", span=span, kind="control_type")["accuracy"] < 0.4
    other = value(probes, address="vision.7", span="other_object", kind="task")
    assert other["accuracy"] < 0.35  # chance is 1 in 6


@pytest.mark.parametrize(
    ("model", "address"), [("dinov2_small", "vision.7"), ("clip_vit_b16_vision", "connector")]
)
def test_the_class_token_encodes_whether_a_cat_is_present(model, address, exam):
    probes = pl.read_parquet(exam[0].path(f"results/probing/{model}/scenes/cat.parquet"))
    row = value(probes, address=address, span="cls", kind="task")
    assert row["accuracy"] > 0.8 and row["q"] < 0.01


@pytest.mark.parametrize("model", ENCODERS)
def test_a_point_is_matched_in_another_view_of_a_photograph(model, exam):
    table = pl.read_parquet(exam[0].path(f"results/readout/{model}/views.parquet"))
    alone = {"seen": "alone", "address": "vision.7"}
    row = value(table, readout="points", **alone)
    assert row["value"] >= 0.8 and row["n"] >= 10 and row["chance"] == 0.25
    assert value(table, readout="points/shuffled", **alone)["value"] < 0.6


def test_mined_pairs_have_the_cosines_of_the_activations_and_a_sheet(exam, monkeypatch):
    project = exam[0]
    monkeypatch.chdir(project.folder)
    home = Path(f"results/mining/{'_against_'.join(ENCODERS)}/scenes")
    pairs = pl.read_parquet(home / "pairs.parquet")
    assert 0 < len(pairs) <= 200
    for model, column in zip(ENCODERS, ("similarity_first", "similarity_second"), strict=True):
        found = results.activations(model, "scenes", *VECTORS[model].split("/"))
        centred = found.matrix.astype(float) - found.matrix.astype(float).mean(axis=0)
        unit = dict(zip(found.ids, centred / np.linalg.norm(centred, axis=1)[:, None], strict=True))
        own = [unit[p["first_id"]] @ unit[p["second_id"]] for p in pairs.iter_rows(named=True)]
        np.testing.assert_allclose(pairs[column], own, atol=2e-3)
    assert pairs["similarity_first"].min() > 0.6 and pairs["similarity_second"].max() < 0.5
    page = (home / "sheet.html").read_text()
    assert page.count("<figure>") == min(len(pairs), 100)
    assert "data:image/jpeg" in page  # photographs are too large as PNG


def test_photographs_of_coco_are_probed_and_mined(tmp_path):
    """Labels match the annotations, and a probe finds people better than its control task."""
    given = os.environ.get(COCO)
    if not given:
        pytest.skip(f"{COCO} is not set: photographs of COCO were NOT examined")
    split = "val2017"
    coco = {"layout": "coco", "source": "local", "path": str(Path(given).resolve())}
    coco |= {"splits": [split], "tasks": ["has_person"], "test_share": 0.5}
    mining = {**CONFIG["mining"], "datasets": ["coco"]}
    project, _ = run(tmp_path / "project", {"datasets": {"coco": coco}, "mining": mining})
    read = json.loads((Path(given) / f"annotations/instances_{split}.json").read_text())
    kinds = {kind["id"]: kind["name"] for kind in read["categories"]}
    there = {(a["image_id"], kinds[a["category_id"]]) for a in read["annotations"]}
    images = pl.read_parquet(project.path("results/datasets/coco/images.parquet"))
    assert len(images) == len(read["images"])
    for row in images.iter_rows(named=True):
        shown = (int(Path(row["path"]).stem), "person") in there
        assert row["label/has_person"] == ("yes" if shown else "no"), row["image_id"]
    probes = pl.read_parquet(project.path("results/probing/dinov2_small/coco/has_person.parquet"))
    row = value(probes, address="vision.11", span="cls", kind="task")
    assert row["accuracy"] > row["chance"] and row["q"] < 0.05
    page = project.path("results/report/index.html").read_text()
    shown = set(re.findall(r"<span>has_(\w+) <b>no</b>", page))
    assert shown <= {"person"}  # labels of absent categories exist only if they are probed
