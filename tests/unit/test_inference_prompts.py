"""Prompts, orders and letters; the strict parser; the images shown under each condition."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eyechart.behavior.conditions import StimulusBuilder, swap
from eyechart.core.errors import UserError
from eyechart.data.open_image import open_image
from eyechart.inference.prompts import PromptStyle, check_template, parse

ITEM = {"item_id": "i", "prompt": "What colour?", "choices": ["red", "blue", "green"]}
OPEN = {"item_id": "o", "prompt": "Describe it.", "choices": []}


def test_over_all_orders_every_choice_is_once_at_every_position() -> None:
    variants = PromptStyle("{question} {options}", "letter", "all").variants(ITEM)
    assert [a.order for a in variants] == [0, 1, 2]
    assert variants[0].prompt == "What colour? (a) red (b) blue (c) green"
    assert variants[1].prompt == "What colour? (a) blue (b) green (c) red"
    for variant in variants:
        for choice, scored in zip(ITEM["choices"], variant.scored, strict=True):
            assert f"{scored} {choice}" in variant.prompt
    assert {a.scored[0] for a in variants} == {"(a)", "(b)", "(c)"}


def test_choices_are_scored_in_the_items_own_order_whatever_is_shown() -> None:
    variants = PromptStyle("{question} {options}", "text", 2).variants(ITEM)
    assert [a.scored for a in variants] == [("red", "blue", "green")] * 2


def test_an_open_item_has_one_order_and_nothing_scored() -> None:
    (variant,) = PromptStyle("{question} {options}", "letter", "all").variants(OPEN)
    assert (variant.prompt, variant.scored) == ("Describe it.", ())


@pytest.mark.parametrize(
    ("style", "said"),
    [
        (("{question}", "letter", 1), "choices: 'letter', but prompt"),
        (("{question}", "text", "all"), "orders: 'all', but prompt"),
        (("{q}", "text", 1), "has a field other than {question} and {options}"),
        (("{question", "text", 1), "has a field other than"),
        (("{question.x}", "text", 1), "has a field other than"),
        (("{question}", "words", 1), "There are: letter, text"),
    ],
)
def test_an_impossible_style_is_refused(style: tuple, said: str) -> None:
    with pytest.raises(UserError) as error:
        PromptStyle(*style)
    assert said in str(error.value)


def test_braces_in_a_question_are_text() -> None:
    item = {**ITEM, "prompt": "What is {this}?"}
    assert PromptStyle("{question}", "text", 1).variants(item)[0].prompt == "What is {this}?"
    check_template("caption", "a {{photo}} of {statement}", ("statement",))


@pytest.mark.parametrize(
    ("text", "letters", "stated"),
    [
        ("red", None, "red"),
        (" RED.\n", None, "red"),
        ("(a)", None, None),
        ("It is red", None, None),
        ("red or blue", None, None),
        ("reddish", None, None),
        ("", None, None),
        ("(a)", "abc", "red"),
        ("B", "abc", "blue"),
        ("b)", "abc", "blue"),
        ("C.", "abc", "green"),
        ("(a) red", "abc", "red"),
        ("(a) blue", "abc", None),
        ("a red", "abc", "red"),
        ("(a) or (b)", "abc", None),
        ("(c)", "cab", "red"),
    ],
)
def test_a_text_states_exactly_one_choice_or_none(text, letters, stated) -> None:
    assert parse(text, ["red", "blue", "green"], letters and list(letters)) == stated


def test_a_text_that_could_be_two_choices_is_not_guessed() -> None:
    assert parse("a", ["b", "a"], ["a", "b"]) is None
    assert parse("Red", ["red", "Red"], None) is None


# Conditions


@pytest.fixture
def project(tmp_path: Path) -> dict[str, str]:
    rng = np.random.default_rng(0)
    paths = {}
    for n in range(8):
        path = tmp_path / f"{n}.png"
        Image.fromarray(rng.integers(0, 255, (20, 30 + n // 4, 3), dtype=np.uint8)).save(path)
        paths[f"p{n}"] = str(path)
    return paths


def items(sets: list[tuple[str, list[str], str]]) -> list[dict]:
    names = ("group", "images", "task")
    return [{"item_id": f"i{n}", **dict(zip(names, s, strict=True))} for n, s in enumerate(sets)]


def test_blank_is_one_white_image_per_size(project) -> None:
    asked = items([(f"g{n}", [f"p{n}"], "t") for n in range(8)])
    shown = StimulusBuilder(asked, project, 1).stimuli("blank")
    assert len({stimuli for stimuli, _ in shown}) == 2  # two sizes
    for (stimuli, ids), item in zip(shown, asked, strict=True):
        white = stimuli[0].draw()
        assert ids == []
        assert white.size == open_image(Path(project[item["images"][0]])).size
        assert (np.asarray(white) == 255).all()


def test_a_rotated_image_is_blanked_in_its_displayed_size(tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "turned.jpg", exif=exif)
    paths = {"p": str(tmp_path / "turned.jpg")}
    builder = StimulusBuilder(items([("g", ["p"], "t")]), paths, 1)
    ((stimulus,), _), ((picture,), _) = builder.stimuli("blank")[0], builder.stimuli("sighted")[0]
    assert stimulus.draw().size == picture.draw().size == (20, 30)


def test_noise_is_uniform_per_image_and_reproducible(project) -> None:
    asked = items([("g", ["p0", "p1"], "t"), ("g", ["p0", "p1"], "u"), ("h", ["p2"], "t")])
    (first, _), (second, _), (third, _) = StimulusBuilder(asked, project, 1).stimuli("noise")
    assert first == second  # the same image for all questions about it
    drawn = [np.asarray(stimulus.draw()) for stimulus in (*first, *third)]
    assert (np.asarray(second[1].draw()) == drawn[1]).all()
    assert all((a != b).any() for n, a in enumerate(drawn) for b in drawn[:n])
    assert abs(np.concatenate([a.ravel() for a in drawn]).mean() - 127.5) < 4
    other = StimulusBuilder(asked, project, 2).stimuli("noise")[0][0][0].draw()
    assert (np.asarray(other) != drawn[0]).any()


@pytest.mark.parametrize("seed", range(20))
def test_swapped_images_are_from_another_group_of_the_task_each_once(seed) -> None:
    sets = [(f"pair{n // 2}", [f"p{n}"], "ab"[n // 10]) for n in range(20)]
    asked = items(sets)
    found = swap(asked, seed)
    own = {i["item_id"]: i for i in asked}
    of = {i["images"][0]: i for i in asked}
    for item, (image,) in found.items():
        assert of[image]["group"] != own[item]["group"]
        assert of[image]["task"] == own[item]["task"]
    assert len({image for (image,) in found.values()}) == 20  # a derangement
    assert found == swap(asked[::-1], seed)  # for any order of the items


def test_swapping_uses_another_task_or_repeats_if_necessary() -> None:
    lone = items([("g0", ["a"], "t"), ("g0", ["b"], "t"), ("g1", ["c"], "u"), ("g1", ["d"], "u")])
    found = swap(lone, 1)
    assert {found["i0"][0], found["i1"][0]} <= {"c", "d"}
    most = items([("g0", [f"p{n}"], "t") for n in range(5)] + [("g1", ["q"], "t")])
    found = swap(most, 1)
    assert {found[f"i{n}"] for n in range(5)} == {("q",)}
    assert found["i5"][0].startswith("p")


def test_swapping_keeps_the_number_of_images_and_never_shows_the_items_own() -> None:
    sets = [(f"g{n}", list(pictures), "t") for n, pictures in enumerate(["ab", "c", "de", "f"])]
    found = swap(items(sets), 3)
    assert found["i0"] == ("d", "e")
    assert found["i2"] == ("a", "b")
    lone = swap(items([("g0", ["a", "b"], "t"), ("g1", ["c"], "t"), ("g2", ["d"], "t")]), 3)
    assert set(lone["i0"]) == {"c", "d"}, "no other item has two images"


@pytest.mark.parametrize(
    "sets", [[("g", ["a"], "t")], [("g", ["a"], "t"), ("h", ["a"], "t")], [("g", ["a"], "t")] * 2]
)
def test_swapping_does_not_apply_without_another_image(sets, project) -> None:
    assert swap(items(sets), 3) is None
    builder = StimulusBuilder(items(sets), {"a": "a.png"}, 3)
    assert builder.stimuli("swapped") == []
    assert len(builder.stimuli("sighted")) == len(sets)


def test_without_images_nothing_is_swapped_or_blanked(project) -> None:
    builder = StimulusBuilder(
        items([("g", [], "t"), ("h", ["p0"], "t"), ("k", ["p1"], "t")]), project, 1
    )
    for condition in ("sighted", "swapped", "blank", "noise", "no_image"):
        assert builder.stimuli(condition)[0] == ((), [])


def test_an_image_missing_from_the_table_is_reported(project) -> None:
    with pytest.raises(UserError, match="image 'nobody' is not in the image table"):
        StimulusBuilder(items([("g", ["nobody"], "t")]), project, 1).stimuli("sighted")
