"""Attention and logit lens of one pass equal the class's own results."""

import json
import re
from dataclasses import asdict

import attention_fixture as fixture
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
import tiny_models
import torch
import yaml
from PIL import Image

from eyechart.attention import join_traces, lens, trace_items
from eyechart.attention.settings import AttentionSettings
from eyechart.attention.trace import Tracer, deciding
from eyechart.core.errors import UserError
from eyechart.models import attention_weights
from eyechart.models.attention_weights import load_eager
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.load_options import LoadOptions
from eyechart.models.unembedding import head_of
from eyechart.tables.attention import ATTENTION, LENS, MAPS, WORDS
from eyechart.tables.notes import count_notes, join_notes, read_noted

ITEM = {
    "item_id": "i",
    "prompt": "what is it",
    "choices": ["red", "blue"],
    "answer": "red",
    "task": "t",
    "group": "g",
}


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    return fixture.load_llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def image():
    pixels = np.random.default_rng(2).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def directly(adapter, image):
    """Return the class's own forward pass on its own inputs, and the choices' common prefix."""
    text = adapter.turn("what is it", 1)
    inputs = adapter.processor(text=[text], images=[image], return_tensors="pt")
    row = adapter.row("what is it", [adapter.prepare_image(image)])
    assert row.ids == inputs["input_ids"][0].tolist()
    shared, _ = deciding([adapter.answer_ids(row, choice) for choice in ITEM["choices"]])
    inputs["input_ids"] = torch.tensor([[*row.ids, *shared]])
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    with torch.inference_mode():
        return inputs, adapter.model(**inputs, output_attentions=True)


@pytest.fixture(scope="module")
def traced(adapter, image):
    return Tracer(adapter, AttentionSettings(**fixture.SETTINGS)).trace(ITEM, [image])


def test_attention_sums_to_one_over_all_tokens_of_the_prompt(traced):
    for weights in traced.weights.values():
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(4))


def test_image_mass_equals_the_classs_own(adapter, traced, directly):
    inputs, out = directly
    image = inputs["input_ids"][0] == adapter.image_id
    assert image.tolist() == traced.image.tolist()
    for block, weights in enumerate(out.attentions):
        own = weights[0, :, -1][:, image].sum(dim=1)
        found = traced.weights[f"lm.{block}"][:, image].sum(dim=1)
        torch.testing.assert_close(found, own, rtol=0, atol=1e-5)


def test_the_last_layer_of_the_lens_equals_the_models_scores(adapter, traced, directly):
    _, out = directly
    own = out.logits[0, -1].float().log_softmax(dim=0)
    said = lens.at_answer(head_of(adapter), traced)
    np.testing.assert_allclose(said.log_probability[-1], own[traced.words], rtol=0, atol=1e-4)
    assert said.top[-1] == int(own.argmax())
    order = own.argsort(descending=True).tolist()
    assert said.rank[-1].tolist() == [order.index(word) + 1 for word in traced.words]
    assert lens.fault(head_of(adapter), traced) == ""


def test_the_lens_differs_between_blocks_and_reads_image_tokens(adapter, traced):
    head = head_of(adapter)
    said = lens.at_answer(head, traced)
    assert len(np.unique(said.log_probability.round(5), axis=0)) == 3
    read = lens.at_tokens(head, traced, traced.words, 2)
    assert read.log_probability.shape == (3, 16, 2)
    assert read.top.shape == (3, 16, 2)
    assert (np.diff(read.top_log_probability, axis=2) <= 0).all()
    hidden = traced.hidden["lm.1"][torch.from_numpy(traced.image)]
    with torch.inference_mode():
        own = adapter.score(head.norm(hidden)).log_softmax(dim=1)
    np.testing.assert_allclose(read.log_probability[1], own[:, traced.words], rtol=0, atol=1e-5)


def test_a_head_that_does_not_reproduce_the_scores_is_detected(adapter, traced, monkeypatch):
    head = head_of(adapter)
    score = adapter.score
    monkeypatch.setattr(adapter, "score", lambda hidden: 2 * score(hidden))
    assert "do not reproduce the model's own log-probabilities" in lens.fault(head, traced)


def test_hooks_are_removed_after_a_pass(adapter, image):
    def hooks():
        return sum(len(module._forward_hooks) for module in adapter.model.modules())

    before = hooks()
    Tracer(adapter, AttentionSettings(**fixture.SETTINGS)).trace(ITEM, [image])
    assert hooks() == before


def test_choices_are_distinguished_by_the_first_differing_token():
    assert deciding([[7, 1, 9], [7, 2, 9]]) == ([7], [1, 2])
    assert deciding([[1], [2], [3]]) == ([], [1, 2, 3])
    assert deciding([[1], [2], [2, 3]]) == ([], None)
    assert deciding([[1, 2], [1]]) == ([1], None)


def test_the_first_layer_is_where_the_answer_stops_changing():
    logs = np.log([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.6, 0.4]])
    assert lens.LensPredictions(logs, np.ones((4, 2)), []).first_layer() == 2
    assert lens.LensPredictions(logs[2:], np.ones((2, 2)), []).first_layer() == 0


def test_tokens_of_two_images_are_consecutive(adapter, image):
    tracer = Tracer(adapter, AttentionSettings(**fixture.SETTINGS))
    found = tracer.trace(ITEM, [image, image.rotate(90)])
    assert found.image.sum() == 32
    assert [len(p) for p in tracer.token_boxes([image, image.rotate(90)])] == [16, 16]
    once = tracer.trace(ITEM, [image])
    torch.testing.assert_close(
        found.hidden["lm.0"][:20], once.hidden["lm.0"][:20], rtol=0, atol=1e-5
    )


def test_letters_are_decided_after_their_common_bracket(adapter, image):
    changed = fixture.SETTINGS | {"prompt": "{question} {options}", "choices": "letter"}
    found = Tracer(adapter, AttentionSettings(**changed)).trace(ITEM, [image])
    words = adapter.tokenizer.convert_ids_to_tokens(found.words)
    assert [word.strip("Ġ") for word in words] == ["a", "b"]
    assert found.weights["lm.0"].shape[1] == len(found.image)


@pytest.fixture(scope="module")
def step(tmp_path_factory):
    """Run the complete step on the tiny model."""
    folder = tmp_path_factory.mktemp("step")
    data = fixture.build_dataset(folder / "data")
    checkpoint = tiny_models.build_llava(folder / "llava")
    spec = folder / "tiny.yaml"
    spec.write_text(yaml.safe_dump(asdict(tiny_models.spec("llava", checkpoint))))

    def run(output, **changes):
        trace_items.main(fixture.flags(data, output, spec, checkpoint, **changes))
        schemas = {"attention": ATTENTION, "lens": LENS, "words": WORDS, "maps": MAPS}
        read = {n: read_noted(output / f"{n}.parquet", s) for n, s in schemas.items()}
        tables = {n: pl.DataFrame(table) for n, (table, _) in read.items()}
        return tables, {n: notes for n, (_, notes) in read.items()}

    return run


def test_the_step_writes_every_item_block_head_and_region(step, tmp_path):
    tables, notes = step(tmp_path)
    rows = tables["attention"]
    own = rows.filter(~pl.col("control"))
    assert own["item_id"].n_unique() == 6  # three of each task
    assert sorted(rows["role"].unique()) == ["image", "reference", "right", "wrong"]
    marked = own.filter(pl.col("task") == "depth_order")
    assert len(marked) == 3 * 3 * 4 * 4  # items, blocks, heads; A, B, REF and the image
    assert set(own.filter(pl.col("task") == "plain")["region"]) == {""}
    assert rows.filter(pl.col("control"))["item_id"].n_unique() == 3
    inside = rows.filter(pl.col("region") != "")
    share = inside["mass"] / inside["image_mass"]
    np.testing.assert_allclose(inside["ratio"], share / inside["area"], rtol=1e-5)
    assert tables["words"]["words"].list.len().unique().to_list() == [16]
    assert tables["maps"]["item_id"].n_unique() == 2
    said = tables["lens"].filter(pl.col("place") == "answer")
    last = said.filter(pl.col("address") == "lm.2")
    assert (last["predicted"] == last["final"]).all()
    assert notes["attention"] == {}


@pytest.mark.parametrize("parts", [2, 5, 9])
def test_joined_tables_do_not_depend_on_the_number_of_parts(step, tmp_path, parts):
    """This includes maps, which only the first items of each task have, and parts without items."""
    step(tmp_path / "once")
    pieces = [tmp_path / f"{n:03d}" for n in range(parts)]
    for n, piece in enumerate(pieces):
        step(piece, part=n, parts=parts)
    names = ("attention", "lens", "words", "maps")
    outputs = [tmp_path / "joined" / f"{name}.parquet" for name in names]
    inputs = [str(piece / f"{name}.parquet") for name in names for piece in pieces]
    join_traces.main(["--parts", *inputs, "--outputs", *map(str, outputs)])
    for output in outputs:
        whole = tmp_path / "once" / output.name
        assert pq.read_table(output).equals(pq.read_table(whole), check_metadata=True)
        assert pq.read_metadata(output).num_rows > 0


def test_notes_of_parts_are_summed_and_notes_on_the_model_occur_once():
    parts = [count_notes("", {"left out": 2, "a block returns nothing": 0}),
             count_notes("no head", {"left out": 3}), {}]  # fmt: skip
    assert join_notes(parts) == count_notes(
        "no head", {"left out": 5, "a block returns nothing": 0}
    )
    assert join_notes(parts)["note"] == "left out (5 x); a block returns nothing"


def test_an_item_that_cannot_be_prepared_is_omitted_and_noted(step, tmp_path, monkeypatch):
    whole, calls = LanguageAdapter.row, []

    def row(self, prompt, images):
        calls.append(prompt)
        if len(calls) == 2:
            raise ValueError("odd")
        return whole(self, prompt, images)

    monkeypatch.setattr(LanguageAdapter, "row", row)
    tables, notes = step(tmp_path)
    for name, table in tables.items():
        assert table["item_id"].n_unique() == (2 if name == "maps" else 5)
        assert re.search(r"left out: item '.*': .*ValueError: odd\) \(1 x\)", notes[name]["note"])


def test_the_map_of_an_item_adds_up_to_its_image_mass(step, tmp_path):
    tables, _ = step(tmp_path)
    maps = tables["maps"].select("item_id", "address", pl.col("attention").list.sum())
    whole = tables["attention"].filter(pl.col("region") == "")
    means = whole.group_by("item_id", "address").agg(pl.col("mass").mean())
    both = maps.join(means, on=["item_id", "address"])
    assert len(both) == 6
    np.testing.assert_allclose(both["attention"], both["mass"], rtol=1e-5)


def test_a_family_without_attention_weights_is_noted_and_the_rest_run(step, tmp_path, caplog):
    loading = json.dumps({"attention": "sdpa"})
    given = pytest.MonkeyPatch()
    given.setattr(attention_weights, "replace", lambda loading, **changes: loading)  # not eager
    with given.context():
        tables, notes = step(tmp_path, loading=loading)
    given.undo()
    assert tables["attention"].is_empty()
    assert notes["attention"]["reason"] == "no block of family llava returns attention weights"
    assert notes["attention"]["reason"] in caplog.text
    assert notes["lens"] == {}
    assert len(tables["lens"]) > 0


def test_a_dataset_without_regions_has_rows_of_full_images_only(step, tmp_path):
    tables, _ = step(tmp_path, regions=None)
    assert set(tables["attention"]["region"]) == {""}
    assert set(tables["lens"]["place"]) == {"answer", "image"}


def test_an_encoder_alone_is_refused(tmp_path):
    checkpoint = tiny_models.build_clip(tmp_path)
    with pytest.raises(UserError, match="family clip has no language model, expected a VLM"):
        load_eager(tiny_models.spec("clip", checkpoint), checkpoint, LoadOptions("cpu"))
