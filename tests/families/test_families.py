"""Every family with a native class, on a tiny random checkpoint in the official format."""

import re
import shutil
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from in_memory import pixels, plan, run_engine
from PIL import Image
from safetensors.torch import load_file, save_file
from zoo import FAMILIES

from eyechart.core.errors import UserError
from eyechart.models.list_addresses import list_addresses
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions

# from PaliGemma's processor
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CASES = sorted(FAMILIES)
READERS = sorted(name for name, case in FAMILIES.items() if case.kind == "vlm")
QUESTIONS = ["what is it ?", "is the red square left of the blue circle ?", "count the dogs"]


def extract(adapter, card, questions, batch, monkeypatch, shares=None):
    """Run the engine over images p0, p1, …; return {column: {row: value}} for both scopes."""
    shown = dict(zip(["p0", "p1", "p2"], pixels(3), strict=True))
    if shares is False:
        places = [
            {**a, "scopes": dict.fromkeys(a["scopes"], "item")} if a["region"] == "lm" else a
            for a in card["addresses"]
        ]
        card = {**card, "shares_prefix": False, "addresses": places}
    return run_engine(adapter, card, shown, plan(questions, QUESTIONS), batch, monkeypatch)


@pytest.mark.parametrize("name", CASES)
def test_a_missing_weight_is_refused_by_name(name, checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint(name), tmp_path / name)
    weights = load_file(folder / "model.safetensors")
    key = next(k for k in sorted(weights) if re.search(r"(layers?|blocks)\.1\..*weight$", k))
    del weights[key]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"missing key \S+ in the weights"):
        load(FAMILIES[name].spec, folder, LoadOptions("cpu"))


@pytest.mark.parametrize("name", CASES)
def test_addresses_resolve_and_match_the_spec(name, loaded, cards):
    case, card = FAMILIES[name], cards(name)
    names = [a["address"] for a in card["addresses"]]
    assert sum(n.startswith("vision.") for n in names) == case.spec.vision_blocks
    assert sum(n.startswith("lm.") and n != "lm.norm" for n in names) == case.spec.lm_blocks
    assert ("connector" in names) == (case.connector is not None)
    assert ("lm.norm" in names) == (case.kind == "vlm")
    widths = {a["address"]: a["width"] for a in card["addresses"]}
    assert widths["vision.0"] == 32
    assert widths.get("connector") == case.connector
    assert sum(card["parts"].values()) == card["parameters"]


@pytest.mark.parametrize("name", CASES)
def test_a_batch_of_three_equals_single_runs_at_every_address_and_span(
    name, loaded, cards, monkeypatch
):
    adapter, card = loaded(name), cards(name)
    asked = [["p0"], ["p1"], ["p2"]]
    same(
        extract(adapter, card, asked, 3, monkeypatch), extract(adapter, card, asked, 1, monkeypatch)
    )


@pytest.mark.parametrize("name", READERS)
def test_each_image_has_as_many_tokens_as_features(name, loaded):
    adapter = loaded(name)
    for image in pixels(3):
        picture = adapter.prepare_image(image)
        with torch.inference_mode():
            tokens = adapter.tokens(
                [adapter.row("what ?", [picture])], adapter.encode_images([picture])
            )
        assert int(tokens.image.sum()) == len(adapter.grid(picture))


@pytest.mark.parametrize("name", READERS)
def test_token_ids_equal_the_processors(name, loaded):
    adapter, case = loaded(name), FAMILIES[name]
    images = pixels(1 if adapter.MAX_IMAGES_PER_PROMPT else 2)
    pictures = [adapter.prepare_image(i) for i in images]
    ours = adapter.row("how so ?", pictures).ids
    if case.own_text is None:
        content = [{"type": "image", "image": i} for i in images]
        theirs = adapter.processor.apply_chat_template(
            [{"role": "user", "content": [*content, {"type": "text", "text": "how so ?"}]}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
        )["input_ids"][0]
    else:
        theirs = adapter.processor(images=images, text=case.own_text("how so ?", len(images)))
        theirs = theirs["input_ids"]
        theirs = theirs[0] if isinstance(theirs[0], (list, torch.Tensor, np.ndarray)) else theirs
    assert ours == list(map(int, theirs))


@pytest.mark.parametrize("name", READERS)
def test_activations_equal_the_classs_own(name, loaded):
    adapter = loaded(name)
    (image,) = pixels(1)
    picture = adapter.prepare_image(image)
    row = adapter.row("what is it ?", [picture])
    with torch.inference_mode():
        ours = adapter.logits([row], adapter.encode_images([picture]), [[]])[0][-1]
        theirs = FAMILIES[name].reference(adapter, [image], row)[-1]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", READERS)
def test_several_images_and_none_are_accepted_or_refused_in_one_sentence(
    name, loaded, cards, monkeypatch
):
    adapter, card = loaded(name), cards(name)
    several = [["p0", "p2"], ["p1", "p0", "p2"], ["p1"]]
    if adapter.MAX_IMAGES_PER_PROMPT:
        with pytest.raises(UserError, match="accepts 1 image per prompt"):
            extract(adapter, card, several, 3, monkeypatch)
    else:
        batch = extract(adapter, card, several, 3, monkeypatch)
        same(batch, extract(adapter, card, several, 1, monkeypatch))
    if not adapter.ACCEPTS_TEXT_ONLY:
        with pytest.raises(UserError, match="accepts no prompt without an image"):
            adapter.row("hello", [])
    else:
        with torch.inference_mode():
            (scores,) = adapter.logits([adapter.row("hello", [])], [], [[]])
        assert torch.isfinite(scores).all()


@pytest.mark.parametrize("name", READERS)
def test_shared_prefixes_equal_joint_passes_or_are_not_used(name, loaded, cards, monkeypatch):
    adapter, card = loaded(name), cards(name)
    assert card["shares_prefix"] == FAMILIES[name].shares
    if not card["shares_prefix"]:
        return
    asked = [["p0"], ["p0"], ["p0"], ["p1"], ["p2"], ["p2"]]
    shared = extract(adapter, card, asked, 4, monkeypatch)
    joint = extract(adapter, card, asked, 4, monkeypatch, shares=False)
    by_item = {c: rows for c, rows in joint.items() if set(rows) == set(shared[c])}
    assert {c.split("/")[1] for c in by_item if c.startswith("lm")} >= {"text_mean", "last"}
    same(by_item, shared)


def same(found, expected):
    for column, rows in found.items():
        for row, value in rows.items():
            np.testing.assert_allclose(value, expected[column][row], rtol=0, atol=1e-5)


def hooks(adapter):
    return sum(len(m._forward_hooks) for m in adapter.model.modules())


@pytest.mark.parametrize("name", CASES)
def test_half_precision_runs(name, loaded, cards, monkeypatch):
    adapter = loaded(name, dtype="bfloat16")
    found = extract(adapter, cards(name), [["p0"], ["p1"]], 2, monkeypatch)
    exact = extract(loaded(name), cards(name), [["p0"], ["p1"]], 2, monkeypatch)
    for column, rows in found.items():
        for row, value in rows.items():
            if column.endswith("/places"):
                np.testing.assert_array_equal(value, exact[column][row], column)
                continue
            scale = np.abs(exact[column][row]).max()
            assert np.abs(value - exact[column][row]).max() < 0.1 * scale + 0.1, column


@pytest.mark.parametrize("name", CASES)
def test_an_image_of_one_pixel_is_accepted_or_refused_in_one_sentence(name, loaded):
    adapter = loaded(name)
    dot = Image.new("RGB", (1, 1), (200, 30, 30))
    picture = adapter.prepare_image(dot)
    with torch.inference_mode():
        seen = adapter.encode_images([picture])
        if name in READERS:
            (scores,) = adapter.logits([adapter.row("what ?", [picture])], seen, [[]])
            assert torch.isfinite(scores).all()


@pytest.mark.parametrize("name", READERS)
def test_a_prompt_longer_than_the_context_is_a_one_sentence_error(name, loaded, monkeypatch):
    adapter = loaded(name)
    monkeypatch.setattr(adapter.text_config, "max_position_embeddings", 20, raising=False)
    with pytest.raises(UserError, match=r"tokens, but tiny/\w+ reads at most 20"):
        adapter.row("count the dogs " * 30, [adapter.prepare_image(pixels(1)[0])])


def test_a_missing_chat_template_error_states_what_to_write(loaded):
    adapter = loaded("llava")
    template, adapter.processor.chat_template = adapter.processor.chat_template, None
    try:
        with pytest.raises(UserError, match=r"chat template.*give its spec a turn"):
            adapter.row("what is new ?", [adapter.prepare_image(pixels(1)[0])])  # on request
    finally:
        adapter.processor.chat_template = template


@pytest.mark.parametrize("name", ["llava", "qwen2_vl", "blip2"])
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_quantised_weights_give_nearly_the_same_scores(name, bits, checkpoint, loaded):
    if find_spec("bitsandbytes") is None:
        with pytest.raises(UserError, match="needs bitsandbytes"):
            load(FAMILIES[name].spec, checkpoint(name), LoadOptions("cpu", bits=bits))
        return
    few = load(FAMILIES[name].spec, checkpoint(name), LoadOptions("cpu", bits=bits))
    scores = [next_scores(adapter) for adapter in (loaded(name), few)]
    assert not torch.equal(*scores)
    agreement = torch.cosine_similarity(*scores, dim=0)
    assert agreement > {8: 0.999, 4: 0.6}[bits]


@pytest.mark.parametrize("name", ["llava", "qwen2_vl"])
def test_a_model_spread_over_devices_gives_the_same_scores(name, checkpoint, loaded):
    spread = load(FAMILIES[name].spec, checkpoint(name), LoadOptions("cpu", spread=True))
    torch.testing.assert_close(next_scores(spread), next_scores(loaded(name)))


def next_scores(adapter):
    picture = adapter.prepare_image(pixels(1)[0])
    with torch.inference_mode():
        row = adapter.row("what is it ?", [picture])
        return adapter.logits([row], adapter.encode_images([picture]), [[]])[0][-1].float()


@pytest.mark.parametrize("name", CASES)
def test_addresses_are_listed_without_weights(name, checkpoint, cards, tmp_path):
    shutil.copyfile(checkpoint(name) / "config.json", tmp_path / "config.json")
    found = list_addresses(FAMILIES[name].spec, tmp_path, LoadOptions("cpu"))
    card = cards(name)
    assert [(a, path) for a, path, _ in found] == [
        (a["address"], a["module"]) for a in card["addresses"]
    ]
    assert 0 < sum(parameters for _, _, parameters in found) <= card["parameters"]
