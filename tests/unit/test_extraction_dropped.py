"""If a model's own code rejects an image or a prompt, only its items are dropped, not the part."""

import json

import numpy as np
import polars as pl
import pytest
import transformers
from test_extraction_steps import Project, flags
from test_probing_types import CHOSEN
from test_probing_types import _answers as answers
from test_probing_types import _features as features
from test_probing_types import _world as make_world

from eyechart.core.errors import UserError
from eyechart.models import describe_model
from eyechart.models.families.language import LanguageAdapter
from eyechart.probing import question_types
from eyechart.probing.examples import read_examples
from eyechart.tables.activations import read_column, read_dropped, read_ids

LOST = ["q0-2", "q1-2"]  # the items about image p002
REASON = "ValueError: absolute aspect ratio must be smaller than 200"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def picky(monkeypatch):
    """Let the processor refuse images of some heights; p002 is 42 px high."""

    def make(*heights):
        own = transformers.CLIPImageProcessorPil
        whole = own.preprocess

        def preprocess(self, images, *args, **how):
            if any(image.height in heights for image in images):
                raise ValueError("absolute aspect ratio must be\nsmaller than 200")
            return whole(self, images, *args, **how)

        monkeypatch.setattr(own, "preprocess", preprocess)

    return make


def values(project, out, model, scope, parts=1):
    manifest = project.manifest(out, scope, parts, model=model)
    told = json.loads(manifest.read_text())
    ids = read_ids(manifest)
    assert told["rows"] == len(ids)
    found = {c["name"]: read_column(manifest, c["name"]) for c in told["columns"]}
    return told["dropped"], ids, found


@pytest.mark.parametrize(("model", "parts"), [("llava", 1), ("llava", 3), ("clip", 2)])
def test_a_rejected_image_drops_only_its_rows_and_items_and_is_listed(
    project, tmp_path, picky, model, parts, caplog
):
    for part in range(parts):
        project.extract(tmp_path / "whole", model=model, part=part, parts=parts)
    picky(42)
    for part in range(parts):
        project.extract(tmp_path / "picky", model=model, part=part, parts=parts)
    name = json.loads((project.folder / f"{model}.yaml").read_text())["checkpoint"]
    why = f"image 'p002': {name} cannot process it ({REASON})"
    assert f"left out of the images: {why}" in caplog.text
    for scope, lost in (("image", ["p002"]), ("item", LOST if model == "llava" else [])):
        none, every, expected = values(project, tmp_path / "whole", model, scope, parts)
        dropped, ids, found = values(project, tmp_path / "picky", model, scope, parts)
        assert none == {}
        assert dropped == dict.fromkeys(lost, why)
        assert sorted(ids) == sorted(set(every) - set(lost))
        kept = [every.index(i) for i in ids]
        for column, own in found.items():
            np.testing.assert_allclose(own, expected[column][kept], rtol=4e-3, atol=4e-3)


def test_a_rejected_extraction_prompt_drops_only_its_item(project, tmp_path, monkeypatch):
    whole = LanguageAdapter.row

    def row(self, prompt, images):
        if prompt == "what what what " and images[0].size == (48, 42):
            raise UserError("prompt contains '<image>', the placeholder of an image")
        return whole(self, prompt, images)

    monkeypatch.setattr(LanguageAdapter, "row", row)
    project.extract(tmp_path)
    dropped, ids, _ = values(project, tmp_path, "llava", "item")
    told = "item 'q0-2': prompt contains '<image>', the placeholder of an image"
    assert dropped == {"q0-2": told}
    assert len(ids) == 9
    assert values(project, tmp_path, "llava", "image")[0] == {}


def test_too_many_rejections_are_an_error_and_leave_no_output(project, tmp_path, picky):
    picky(41, 43)
    with pytest.raises(UserError, match=r"^image 'p003': .*; 2 of 5 images cannot be used"):
        project.extract(tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_probes_are_trained_on_the_remaining_items(project, tmp_path, picky):
    picky(42)
    project.extract(tmp_path)
    dropped = read_dropped(project.manifest(tmp_path, "item"))
    assert dropped == LOST
    items = pl.DataFrame(
        {
            "item_id": [f"q{j}-{i}" for j in range(2) for i in range(5)],
            "task": "t",
            "answer": ["a", "b"] * 5,
            "group": [f"g{i}" for _ in range(2) for i in range(5)],
            "type": "x",
            "group_split": ["train", "train", "test", "train", "test"] * 2,
        }
    )
    items.write_parquet(tmp_path / "items.parquet")
    found = read_examples(
        *(tmp_path / "items.parquet", tmp_path / "none", "item", "t"),
        split="group", folds=2, dropped=dropped,
    )  # fmt: skip
    assert found.ids == sorted(set(items["item_id"]) - set(LOST))


def test_a_processor_that_fails_on_the_sample_image_is_a_one_sentence_error(project, monkeypatch):
    def preprocess(self, images, *args, **how):
        raise TypeError("unsupported size")

    monkeypatch.setattr(transformers.CLIPImageProcessorPil, "preprocess", preprocess)
    with pytest.raises(UserError, match=r"^the sample image: .* cannot process it \(TypeError: "):
        describe_model.main(
            flags(
                model="llava",
                spec=project.folder / "llava.yaml",
                checkpoint=project.models["llava"],
                view=project.folder / "view.png",
                output=project.folder / "card.json",
            )
        )


def test_question_types_leave_out_images_without_activations(tmp_path, caplog):
    rng = np.random.default_rng(7)
    truth = answers(rng)
    world = make_world(tmp_path, truth, {"vision.0/cls": features(rng, truth)}, known=[0])
    tables = (world / "items.parquet", world / "images.parquet")
    examples = read_examples(*tables, "item", "exist", split="group", folds=3)
    whole = question_types.read_pairs(*tables, examples, "group", CHOSEN)
    found = question_types.read_pairs(*tables, examples, "group", CHOSEN, ["i000", "i001"])
    assert {"i000", "i001"} <= set(whole.images)
    assert set(whole.images) - set(found.images) == {"i000", "i001"}
    assert "2 questions about images without activations are left out" in caplog.text
