"""An item that the model's own code rejects has no row in any condition, and is listed."""

import json

import pytest
import transformers
from test_behavior_answers import ROWS, Asker, item

from eyechart.core.errors import UserError
from eyechart.models.families.language import LanguageAdapter
from eyechart.tables.responses import ANSWERS, LEFT_OUT, joined_responses, read_left_out

CONDITIONS = ["sighted", "blank", "noise", "swapped"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Asker(tmp_path_factory.mktemp("project"))


def refuse(monkeypatch, *heights):
    """Let the processor refuse images of some heights; p000 is 40 px high, p001 41, and so on."""
    own = transformers.CLIPImageProcessorPil
    whole = own.preprocess

    def preprocess(self, images, *args, **how):
        if any(image.height in heights for image in images):
            raise ValueError("height too odd")
        return whole(self, images, *args, **how)

    monkeypatch.setattr(own, "preprocess", preprocess)


def listed(path):
    return read_left_out(path)


def ids(rows):
    return [(row["item_id"], row["order"]) for row in rows]


@pytest.mark.parametrize("model", ["llava", "clip"])
def test_a_rejected_image_drops_its_items_under_every_condition(
    project, tmp_path, monkeypatch, model
):
    rows = [row for row in ROWS if model == "llava" or row["choices"]]
    whole = project.answer(tmp_path / "whole", rows, model, CONDITIONS)
    refuse(monkeypatch, 43)
    found = project.answer(tmp_path / "lost", rows, model, CONDITIONS)
    for condition in CONDITIONS:
        assert ("e", 0) in ids(whole[condition])
        others = [row for row in whole[condition] if row["item_id"] != "e"]
        lost = listed(tmp_path / "lost" / f"{condition}.parquet")
        if condition == "swapped":  # the item that gets p003 instead is also lost
            continue
        assert "e" in lost
        assert "cannot process it (ValueError: height too odd)" in lost["e"]
        kept = [row for row in others if row["item_id"] not in lost]
        assert ids(found[condition]) == ids(kept)
        for one, other in zip(found[condition], kept, strict=True):
            assert one["log_probability"] == pytest.approx(other["log_probability"], abs=1e-5)
    assert len({tuple(ids(found[condition])) for condition in CONDITIONS}) == 1


def test_a_rejected_prompt_drops_only_its_item(project, tmp_path, monkeypatch):
    whole = LanguageAdapter.row

    def row(self, prompt, images):
        if "odd" in prompt:
            raise UserError("the prompt is odd")
        return whole(self, prompt, images)

    monkeypatch.setattr(LanguageAdapter, "row", row)
    rows = [*ROWS, item("m", ["p001"], ["red", "the"], prompt="what is odd")]
    found = project.answer(tmp_path, rows, conditions=["sighted", "blank"])
    for condition in ("sighted", "blank"):
        assert ids(found[condition]) == [("a", 0), ("b", 0), ("c", 0), ("e", 0)]
        (lost,) = listed(tmp_path / f"{condition}.parquet").items()
        assert lost == ("m", "prompt 'what is odd': the prompt is odd")


@pytest.mark.parametrize("model", ["llava", "clip"])
def test_too_many_rejected_images_are_an_error_with_the_last_one(
    project, tmp_path, monkeypatch, model
):
    refuse(monkeypatch, 41, 43)
    rows = [row for row in ROWS if model == "llava" or row["choices"]]
    with pytest.raises(UserError, match=r"image 'p003': .*; 2 of 3 images cannot be used"):
        project.answer(tmp_path, rows, model, ["sighted"])
    assert list(tmp_path.glob("sighted*")) == []


def test_omissions_of_earlier_looks_and_parts_stay_listed():
    empty = ANSWERS.empty_table()
    earlier = empty.replace_schema_metadata({LEFT_OUT: json.dumps({"a": "odd"})})
    now = empty.replace_schema_metadata({"looks": "{}"})
    found = joined_responses([now, earlier], {"b": "odder"}).schema.metadata
    assert json.loads(found.pop(LEFT_OUT)) == {"a": "odd", "b": "odder"}
    assert found == {b"looks": b"{}"}
    assert joined_responses([empty]).schema.metadata is None
