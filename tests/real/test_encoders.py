"""Two pretrained encoders on photographs, through the real Snakefile (`make test-real`)."""

import json
from collections import Counter

import polars as pl
import pytest
from photographs import write_scenes, write_views
from project import ROOT as HERE
from project import Project

MADE = HERE / "data/encoders"
COCO = "EYECHART_COCO"  # a folder in COCO's official layout
ENCODERS = ("dinov2_small", "clip_vit_b16_vision")
CARDS = {  # parameters, width, blocks, patches of 224 × 224, further addresses
    "dinov2_small": (22_056_576, 384, 12, 256, []),
    "clip_vit_b16_vision": (86_192_640, 768, 12, 196, ["connector"]),
}
LAST = {"dinov2_small": "vision.11", "clip_vit_b16_vision": "vision.10"}
CONFIG = {
    "models": list(ENCODERS),
    "checkpoints": {name: str(MADE / name) for name in ENCODERS},
    "extraction": {"addresses": ["vision.*[1357]", "vision.1[01]", "connector"]},
    "probing": {"seeds": 1, "bootstrap": 200, "probes": {"mlp": None}},
    "mining": {
        "pairs": [list(ENCODERS)],
        "vectors": {"dinov2_small": "vision.11/cls", "clip_vit_b16_vision": "connector/cls"},
        "similar": 0.6,
        "different": 0.5,
    },
}
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (MADE / "made").exists(), reason="no data/encoders: `make encoders`"),
]


def run(folder, config):
    """Run a project of its own to the page; return it and what Snakemake printed."""
    project = Project.create(folder)
    project.config = {**CONFIG, **config}
    project.configure({})
    return project, project.finish()


@pytest.fixture(scope="module")
def exam(tmp_path_factory):
    """The exam on photographs of Python packages: the project, its output, the rows of the table."""
    folder = tmp_path_factory.mktemp("photographs")
    rows = write_scenes(folder / "scenes", MADE / "photographs")
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
    return *run(folder / "project", config), rows


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


def test_questions_that_need_a_text_tower_are_said_to_be_impossible_and_the_rest_goes_on(exam):
    project, output, _ = exam
    sentence = "have no text tower, so they are asked no questions; all else is examined"
    assert Counter(output.split("\n"))[f"eyechart: {', '.join(ENCODERS)} {sentence}"] == 1
    assert not project.path("results/behavior").exists()
    page = project.path("results/report/index.html").read_text()
    assert page.count("without a text tower, so it is asked no questions") == len(ENCODERS)


def value(table, **at):
    """Return the only row of a table with these values."""
    (found,) = table.filter(*(pl.col(k) == v for k, v in at.items())).to_dicts()
    return found


@pytest.mark.parametrize("model", ENCODERS)
def test_what_is_at_a_box_is_read_there_and_not_at_another_box(model, exam):
    probes = pl.read_parquet(exam[0].path(f"results/probing/{model}/scenes/thing.parquet"))
    at = {s: value(probes, address=LAST[model], span=s) for s in SPANS}
    print(model, at)
    assert 0


SPANS = ("referent", "referent_center", "other_object")
