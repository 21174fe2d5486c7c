"""Every family with text: attention as the class returns it, or a reason, and the logit lens."""

import numpy as np
import polars as pl
import pytest
import torch
from in_memory import pixels
from zoo import FAMILIES

from eyechart.attention import lens
from eyechart.attention.measure import ItemTracer
from eyechart.attention.rows import Tables
from eyechart.attention.settings import AttentionSettings
from eyechart.attention.trace import check_places
from eyechart.inference.marks import Mark
from eyechart.models.unembedding import head_of
from eyechart.tables.attention import ATTENTION, LENS
from eyechart.tables.regions import box, point, whole_image
from eyechart.tuning.questions import TunedItems
from eyechart.tuning.region_mass import HiddenError, attention_on_images

# from PaliGemma's processor
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

READERS = sorted(name for name, case in FAMILIES.items() if case.kind == "vlm")
SETTINGS = AttentionSettings("{question}", "text", 1, 1, 1)
ITEM = {
    "item_id": "i",
    "task": "t",
    "group": "g",
    "images": ["p"],
    "prompt": "what is it ?",
    "choices": ["yes", "two"],
    "answer": "two",
    "meta": "{}",
}
MARKS = [
    Mark(whole_image("A", 64, 40), 0, "right"),
    Mark(box("B", 20, 10, 50, 30), 0, "wrong"),
    Mark(point("REF", 32, 20), 0, "reference"),
]
WITHOUT = {  # tables that a family cannot fill, with the reason
    "mllama": ("attention", "prompts of family mllama have no image tokens")
}
# queries attend to the full image
NOWHERE = {"blip2", "blip2_t5", "instructblip", "mixture_attention", "mixture_qformer"}
RECURRENT = {"minicpmv4_6"}  # some blocks have a recurrent state instead of attention weights


@pytest.fixture(scope="module")
def examined(loaded, tmp_path_factory):
    """Return the traces of one item by each family's model with eager attention."""
    path = tmp_path_factory.mktemp("images") / "p.png"
    pixels(1)[0].save(path)
    kept = {}

    def run(name):
        if name not in kept:
            adapter = loaded(name, attention="eager")
            tracer = ItemTracer(adapter, SETTINGS, {"p": str(path)}, Tables(name, "d"))
            tracer.trace_item(ITEM, MARKS)
            kept[name] = tracer
        return kept[name]

    return run


@pytest.mark.parametrize("name", READERS)
def test_a_family_returns_attention_or_a_reason(name, examined):
    tracer = examined(name)
    rows = pl.DataFrame(tracer.tables.whole("attention", ATTENTION))
    if name in WITHOUT:
        table, why = WITHOUT[name]
        assert rows.is_empty()
        assert tracer.reasons[table] == why
        return
    assert tracer.reasons["attention"] == ""
    blocks = set(rows["address"])
    if name in RECURRENT:
        assert 0 < len(blocks) < len(tracer.tracer.blocks)
        assert "blocks return no attention weights" in tracer.notes_of("attention")["note"]
    else:
        assert blocks == set(tracer.tracer.blocks)
    regions = {""} if name in NOWHERE else {"", "A", "B", "REF"}
    assert set(rows["region"]) == regions
    assert (rows["image_mass"] > 0).all()
    assert (rows["image_mass"] <= 1.001).all()


@pytest.mark.parametrize("name", sorted(set(READERS) - NOWHERE - set(WITHOUT)))
def test_most_attention_on_the_image_is_in_the_full_region(name, examined):
    rows = pl.DataFrame(examined(name).tables.whole("attention", ATTENTION))
    area = {name: rows.filter(pl.col("region") == name)["area"] for name in ("A", "B", "REF")}
    whole = rows.filter(pl.col("region") == "A")
    assert (whole["mass"] <= whole["image_mass"] * 1.001).all()
    assert (area["A"] > 0.5).all()  # line ends and padding are not part of the image
    for part in ("B", "REF"):
        assert (area[part] > 0).all()
        assert (area[part] < area["A"]).all()


@pytest.mark.parametrize("name", sorted(set(READERS) - set(WITHOUT)))
def test_attention_sums_to_one_and_image_tokens_have_positions(name, loaded, examined):
    adapter, tracer = loaded(name, attention="eager"), examined(name)
    image = pixels(1)[0]
    trace = tracer.tracer.trace(ITEM, [image])
    for weights in trace.weights.values():
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(weights)), rtol=0, atol=1e-5)
    check_places("i", trace.image, tracer.tracer.token_boxes([image]))
    assert len(trace.image) >= len(adapter.row(ITEM["prompt"], [adapter.prepare_image(image)]).ids)


@pytest.mark.parametrize("name", READERS)
def test_the_last_layer_of_the_lens_equals_the_classs_scores(name, loaded, examined):
    adapter, tracer, case = loaded(name, attention="eager"), examined(name), FAMILIES[name]
    assert tracer.reasons["lens"] == ""
    image = pixels(1)[0]
    trace = tracer.tracer.trace(ITEM, [image])
    row = adapter.row(ITEM["prompt"], [adapter.prepare_image(image)])
    with torch.inference_mode():
        own = case.reference(adapter, [image], row)[0].float().log_softmax(dim=0)
    said = lens.at_answer(head_of(adapter), trace)
    np.testing.assert_allclose(said.log_probability[-1], own[trace.words], rtol=0, atol=1e-4)
    rows = pl.DataFrame(tracer.tables.whole("lens", LENS))
    assert set(rows.filter(pl.col("place") == "answer")["address"]) == set(tracer.tracer.blocks)
    alone = name == "blip2_t5" or name in WITHOUT
    assert set(rows["place"]) == ({"answer"} if alone else {"answer", "image"} | (
        set() if name in NOWHERE else {"A", "B", "REF"}))  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_attention_of_tuned_models_is_the_same_or_has_the_same_reason(name, loaded, examined):
    tracer = examined(name)
    images = {"p": {"path": tracer.paths["p"], "width": 64, "height": 40}}
    adapter = loaded(name, attention="eager")
    asked = TunedItems(adapter, SETTINGS.style(), "mean", images, 1)
    with torch.no_grad():
        if name in WITHOUT:
            with pytest.raises(HiddenError, match=WITHOUT[name][1]):
                attention_on_images(asked, ITEM)
            return
        found, places = attention_on_images(asked, ITEM)
    rows = pl.DataFrame(tracer.tables.whole("attention", ATTENTION)).filter(region="")
    assert found.sum() == pytest.approx(rows["image_mass"].mean(), abs=1e-5)
    assert [len(own) for own in places] == [len(found)]
    assert np.isnan(places[0][:, 3]).all() == (name in NOWHERE)
