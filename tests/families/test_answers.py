"""Answers of every family: shared and joint passes equal the class's own pass on each prompt."""

import copy

import numpy as np
import pytest
import torch
from in_memory import pixels
from PIL import Image
from zoo import FAMILIES

from eyechart.behavior import ask_encoder
from eyechart.behavior.ask_vlm import PromptAnswerer, ScoringRequest
from eyechart.behavior.conditions import Stimulus
from eyechart.core.errors import UserError
from eyechart.inference import whole_prompts
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.choice_tokens import branches, script, tidy

# from PaliGemma's processor
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

READERS = sorted(name for name, case in FAMILIES.items() if case.kind == "vlm")
TOWERS = ["clip", "siglip"]
QUESTIONS = ["what is it ?", "is the red square left of the blue circle ?", "count"]
CHOICES = ("a red square", "yes", "yes it is", "no", "a red circle", "yes it is two")


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    found = []
    pictures = pixels(3)
    # same size as the first, since some processors stack the images of a prompt
    for n, image in enumerate([*pictures, pictures[0].transpose(Image.Transpose.ROTATE_180)]):
        image.save(folder / f"{n}.png")
        found.append(Stimulus(f"p{n}", path=str(folder / f"{n}.png")))
    return found


def ask(adapter, way, asked, size=3, most=4):
    """Answer prompts in one of two ways."""
    reader = PromptAnswerer(adapter, way == "shared", most, AdaptiveBatchSize(size))
    found = {n: said for done in reader.run(asked) for n, said in done}
    return [found[n] for n in range(len(asked))]


def ways(names):
    """Parametrise a test by family and way; only some families can share a prefix."""
    cases = [(name, "shared") for name in names if FAMILIES[name].shares]
    return pytest.mark.parametrize(("name", "way"), [*cases, *((name, "joint") for name in names)])


def plan(sets, choices=CHOICES, wants_text=False):
    """Return each question about each set of images."""
    pairs = [(tuple(s), q) for s in sets for q in QUESTIONS]
    return [ScoringRequest(n, s, q, tuple(choices), wants_text) for n, (s, q) in enumerate(pairs)]


@pytest.fixture(scope="module")
def directly(loaded):
    """Score choices one by one, each with a full forward pass of the class on prompt and choice."""
    kept = {}

    def score(name, one):
        adapter, case = loaded(name), FAMILIES[name]
        images = [stimulus.draw() for stimulus in one.stimuli]
        row = adapter.row(one.prompt, [adapter.prepare_image(image) for image in images])
        for choice in one.scored:
            ids = adapter.answer_ids(row, choice)
            with torch.inference_mode():
                scores = case.reference(adapter, images, row, ids[:-1], one.prompt).double()
            yield float(scores.log_softmax(dim=1)[range(len(ids)), ids].sum())

    def give(name, one):
        key = (name, one.stimuli, one.prompt)
        if key not in kept:
            kept[key] = list(score(name, one))
        return kept[key]

    return give


@pytest.fixture(scope="module")
def tell_alone(loaded):
    """Return the greedy answer to one prompt, with a full forward pass for each token."""
    kept = {}

    def tell(name, one):
        key = (name, one.stimuli, one.prompt)
        if key not in kept:
            adapter = loaded(name)
            picture = adapter.prepare_image(one.stimuli[0].draw())
            alone = script(adapter, adapter.row(one.prompt, [picture]), (), 5)
            (ids,) = whole_prompts.generate(
                adapter, [alone], [adapter.encode_images([picture])], 5, AdaptiveBatchSize(1)
            )
            kept[key] = tidy(adapter, ids)
        return kept[key]

    return tell


@ways(READERS)
def test_log_probabilities_equal_the_classs_own_for_each_prompt(
    name, way, loaded, stimuli, directly
):
    adapter = loaded(name)
    asked = plan([[s] for s in stimuli[:3]])
    for one, said in zip(asked, ask(adapter, way, asked), strict=True):
        expected = directly(name, one)
        np.testing.assert_allclose(said.log_probability, expected, rtol=0, atol=1e-5)


# InstructBLIP's tokenizer adds tokens around every text; the small one here gives "" no token
@ways([name for name in READERS if name != "instructblip"])
def test_pmi_scores_choices_without_a_question(name, way, loaded, stimuli, directly):
    adapter = loaded(name)
    seen = () if adapter.ACCEPTS_TEXT_ONLY else (Stimulus(size=(336, 336)),)
    asked = [ScoringRequest(0, seen, "", CHOICES, False)]
    for one, said in zip(asked, ask(adapter, way, asked), strict=True):
        np.testing.assert_allclose(said.log_probability, directly(name, one), rtol=0, atol=1e-5)


@ways(READERS)
def test_two_images_are_processed_as_by_the_class(name, way, loaded, stimuli, directly):
    adapter = loaded(name)
    if adapter.MAX_IMAGES_PER_PROMPT:
        with pytest.raises(UserError, match="accepts 1 image per prompt"):
            ask(adapter, way, plan([stimuli[:2]]))
        return
    asked = plan([[stimuli[0], stimuli[3]], [stimuli[3], stimuli[0]]])
    for one, said in zip(asked, ask(adapter, way, asked), strict=True):
        expected = directly(name, one)
        np.testing.assert_allclose(said.log_probability, expected, rtol=0, atol=1e-5)


@ways(READERS)
def test_prompts_without_an_image_are_processed_as_by_the_class(
    name, way, loaded, stimuli, directly
):
    adapter = loaded(name)
    asked = plan([[], [stimuli[0]]])  # together with single-image prompts, and separately
    if not adapter.ACCEPTS_TEXT_ONLY:
        with pytest.raises(UserError, match="accepts no prompt without an image"):
            ask(adapter, way, asked)
        return
    for some in (asked, asked[: len(QUESTIONS)]):
        for one, said in zip(some, ask(adapter, way, some), strict=True):
            expected = directly(name, one)
            np.testing.assert_allclose(said.log_probability, expected, rtol=0, atol=1e-5)


@ways(READERS)
def test_greedy_answers_equal_full_forward_passes(name, way, loaded, stimuli, tell_alone):
    adapter = loaded(name)
    asked = [
        *plan([[s] for s in stimuli[:3]], wants_text=True),
        *plan([[stimuli[0]]], choices=(), wants_text=True),
    ]
    asked = [
        ScoringRequest(n, a.stimuli, a.prompt, a.scored, n % 4 != 1) for n, a in enumerate(asked)
    ]
    for one, said in zip(asked, ask(adapter, way, asked, most=5), strict=True):
        assert said.text == (tell_alone(name, one) if one.wants_text else None)


@ways(["llava", "qwen2_vl", "paligemma", "blip2_t5"])
def test_answers_do_not_depend_on_batches(name, way, loaded, stimuli):
    asked = plan([[s] for s in stimuli[:3]], wants_text=True)
    few, many = (ask(loaded(name), way, asked, size) for size in (1, 64))
    for one, other in zip(few, many, strict=True):
        assert one.text == other.text
        np.testing.assert_allclose(one.log_probability, other.log_probability, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", READERS)
def test_answer_tokens_follow_the_prompts_tokens(name, loaded, stimuli):
    adapter = loaded(name)
    row = adapter.row("what is it ?", [adapter.prepare_image(pixels(1)[0])])
    ids = adapter.answer_ids(row, "a red square")
    if name == "blip2_t5":
        assert ids == adapter.plain_ids("a red square")  # a decoder starts from a new sequence
        return
    written = adapter.tokenizer.decode([*[i for i in row.ids[-1:] if i >= 0], *ids])
    assert written.endswith("\na red square" if name == "paligemma" else " a red square")


@pytest.mark.parametrize("name", TOWERS)
def test_two_towers_score_like_their_own_class(name, loaded, stimuli):
    adapter = loaded(name)
    texts = ("a red square", "yes", "the dog is left of the cat")
    matches = [ask_encoder.MatchRequest((s,), texts) for s in stimuli[:3]]
    matches.append(ask_encoder.MatchRequest(tuple(stimuli[:3]), texts[:1]))
    found = ask_encoder.answer(adapter, matches, AdaptiveBatchSize(2))
    inputs = adapter.processor(
        text=list(texts), images=pixels(3), padding=adapter.PADDING, return_tensors="pt",
        **({"max_length": 24} if name == "siglip" else {}),
    )  # fmt: skip
    with torch.inference_mode():
        scores = adapter.model(**inputs).logits_per_image.double()
    for said, own in zip(found[:3], scores.log_softmax(dim=1), strict=True):
        np.testing.assert_allclose(said.log_probability, own, rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        found[3].log_probability, scores[:, 0].log_softmax(dim=0), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("name", TOWERS)
def test_a_text_too_long_for_its_tower_is_refused(name, loaded):
    long = "count objects one two three " * 30
    with pytest.raises(UserError, match=r"text 'count objects.*tokens, but the text tower"):
        loaded(name).embed_texts(["yes", long])


@pytest.mark.parametrize(
    ("name", "model"),
    {
        "dinov2": "AutoModel",
        "clip_projected": "CLIPVisionModelWithProjection",
        "clip_vision": "CLIPVisionModel",
        "siglip_vision": "SiglipVisionModel",
    }.items(),
)
def test_an_encoder_without_a_text_tower_is_refused(name, model, loaded, cards):
    with pytest.raises(UserError, match=f"{model} has no text tower, so it cannot answer"):
        ask_encoder.two_towers(loaded(name))
    assert not cards(name)["reads_text"]


@pytest.mark.parametrize("name", ["clip", "llava"])
def test_the_card_states_whether_a_model_reads_text(name, cards):
    assert cards(name)["reads_text"]


@pytest.mark.parametrize(
    ("name", "whole"), [("clip_projected", "clip"), ("siglip_vision", "siglip")]
)
def test_an_image_tower_alone_equals_the_one_with_a_text_tower(name, whole, loaded):
    """Both classes give the same blocks and the same projection from the same weights."""
    alone, both = copy.deepcopy((loaded(name), loaded(whole)))
    tower = both.model if name == "clip_projected" else both.model.vision_model
    kept = tower.load_state_dict(alone.model.state_dict(), strict=name == "siglip_vision")
    assert all("text" in key or key == "logit_scale" for key in kept.missing_keys)
    image = alone.prepare_image(pixels(1)[0])
    seen = []
    for adapter in (alone, both):
        found = {}
        for address, path in adapter.addresses().items():
            module = adapter.model.get_submodule(path)
            module.register_forward_hook(
                lambda m, i, o, a=address, f=found: f.update(
                    {a: o[0] if isinstance(o, tuple) else o}
                )
            )
        with torch.inference_mode():
            adapter.encode_images([image])
        seen.append(found)
    assert list(seen[0]) == list(seen[1]) == ["vision.0", "vision.1", "vision.2", "connector"]
    for address, value in seen[0].items():
        torch.testing.assert_close(value, seen[1][address])


def test_choices_with_a_common_prefix_share_branches():
    assert branches([[1], [2], [3]]) == [[]]
    assert branches([[1, 2, 3], [1, 2, 4], [1, 9]]) == [[1, 2]]
    assert branches([[1, 2, 3], [4, 5]]) == [[1, 2], [4]]
    assert branches([]) == [[]]


@pytest.mark.parametrize("name", READERS)
def test_marks_and_special_tokens_in_a_question_are_text(name, loaded):
    adapter = loaded(name)
    image = adapter.prepare_image(pixels(1)[0])
    marks = [t for t in adapter.tokenizer.all_special_tokens if not t[0].isalnum()]
    marks.append(str(getattr(adapter.processor, "image_token", "<image>")))
    plain = adapter.row("what is it ?", [image]).ids
    ids = adapter.image_marker_ids()
    for mark in marks:
        question = adapter.as_text(f"what is {mark} it ?")
        assert question in (f"what is {mark[0]} {mark[1:]} it ?", f"what is {mark} it ?")
        row = adapter.row(question, [image]).ids
        assert sum(i in ids for i in row) == sum(i in ids for i in plain), mark
    assert adapter.as_text("a < b, [sic] & </html>?") == "a < b, [sic] & </html>?"
