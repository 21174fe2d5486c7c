"""Rendered MMVP and MMVP-VLM pairs differ in one pattern, and their texts are true."""

import contextlib
import csv
import math
from collections import Counter

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin
from rendering_fixture import SETTINGS, draw, shards, tree

from eyechart.core import randomness
from eyechart.core.errors import UserError
from eyechart.rendering.attempts import NoRoomError
from eyechart.rendering.datasets.mmvp.pairs import draw_views
from eyechart.rendering.datasets.mmvp.patterns import PATTERNS, TYPES, draw_pair, pattern_of
from eyechart.rendering.renderer import render
from eyechart.rendering.scene.clevr import scene_of
from eyechart.rendering.scene.materials import draw_text
from eyechart.tables.receipt import read_receipt

SPLITS = {"test": 36}
# Allowed differences between a pair's plans: number of objects, their fields, or the camera
ALLOWED = {
    "orientation": {"rotation"},
    "state": {"form"},
    "color": {"color"},
    "structure": {"form", "3d_coords"},
    "text": {"text"},
    "position": {"3d_coords"},
}


@pytest.fixture(scope="module")
def mmvp(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("mmvp"), "mmvp", SPLITS)


@pytest.fixture(scope="module")
def vlm(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("vlm"), "mmvp_vlm", SPLITS)


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def pairs(root):
    return [pair for shard in shards(root) for pair in shard["pairs"]]


def read(path):
    with Image.open(path) as image:
        return np.array(image.convert("RGB")).astype(int)


def drawn_pairs(pattern, count):
    for i in range(count):
        with contextlib.suppress(NoRoomError):  # the step would draw again
            yield draw_pair(randomness.dice("pair", pattern, i), pattern, SETTINGS)


def check_one_difference(pattern, first, second):
    if pattern == "viewpoint":
        assert first["objects"] == second["objects"]
        assert first["camera"]["position"] != second["camera"]["position"]
        return
    assert first["camera"] == second["camera"]
    one, other = first["objects"], second["objects"]
    if pattern in ("presence", "quantity"):
        more, fewer = (one, other) if len(one) > len(other) else (other, one)
        assert more[:-1] == fewer
        return
    different = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    assert len(different) == (2 if pattern == "position" else 1)
    for a, b in different:
        assert {k for k in a if a[k] != b[k]} <= ALLOWED[pattern]


@pytest.mark.parametrize("pattern", list(PATTERNS))
def test_a_pair_differs_in_its_pattern_and_in_nothing_else(pattern):
    for pair in drawn_pairs(pattern, 40):
        first, second = pair.plans
        assert first["lights"] == second["lights"]
        check_one_difference(pattern, first, second)


def camera_height(plan):
    offset = np.subtract(plan["camera"]["position"], plan["camera"]["target"])
    return math.degrees(math.asin(offset[2] / np.linalg.norm(offset)))


def is_left(plan, one, other):
    at = {o["shape"]: (o["bbox"][0] + o["bbox"][2] / 2) for o in plan["objects"]}
    return at[one] < at[other]


def seen(pattern, plan, question):
    """Return the answer to a question, from only the plan, the boxes, its pattern and words."""
    words = question.rstrip("?").replace("cubes", "cube").replace("spheres", "sphere")
    words = words.replace("cylinders", "cylinder").split()
    shape = next((w for w in words if w in ("cube", "sphere", "cylinder")), "")
    fitting = [o for o in plan["objects"] if o["shape"] == shape]
    last = plan["objects"]
    answers = {
        "orientation": lambda: "left" if 90 < last[0]["rotation"] < 270 else "right",
        "presence": lambda: "yes" if fitting else "no",
        "state": lambda: last[0]["form"],
        "quantity": lambda: str(len(fitting)),
        "position": lambda: "left" if is_left(plan, shape, words[-1]) else "right",
        "color": lambda: fitting[0]["color"],
        "structure": lambda: last[0].get("form") or (
            "on top" if last[1]["3d_coords"][2] > 1 else "beside"
        ),
        "text": lambda: last[0]["text"],
        "viewpoint": lambda: "above" if camera_height(plan) > 45 else "side",
    }  # fmt: skip
    return answers[pattern]()


def test_answers_are_right_and_opposite(mmvp):
    questions = rows(mmvp / "Questions.csv")
    for pair in pairs(mmvp):
        asked = questions[2 * pair["pair"] : 2 * pair["pair"] + 2]
        assert asked[0]["Question"] == asked[1]["Question"]
        assert asked[0]["Options"] == asked[1]["Options"]
        assert {row["Correct Answer"] for row in asked} == {"(a)", "(b)"}
        first, second = asked[0]["Options"].removeprefix("(a) ").split(" (b) ")
        texts = {"(a)": first, "(b)": second}
        for row, plan in zip(asked, pair["plans"], strict=True):
            told = texts[row["Correct Answer"]]
            assert seen(pair["pattern"], plan, row["Question"]) == told, row


def test_statements_are_true_of_their_own_image_only(vlm):
    told = rows(vlm / "Questions.csv")
    for pair in pairs(vlm):
        texts = [row["Statement"] for row in told[2 * pair["pair"] : 2 * pair["pair"] + 2]]
        marks = {"yes": f"a {pair['thing']['size']}", "1": "one", "2": "two", "3": "three"}
        one, other = (f" {marks.get(answer, answer)} " for answer in pair["answers"])
        for text, mine, its in zip(texts, (one, other), (other, one), strict=True):
            assert mine in f" {text} "
            assert pair["pattern"] == "presence" or its not in f" {text} "
            assert (" no " in f" {text} ") == (mine == " no ")
            assert all(obj["shape"] in text for obj in pair["others"])


def test_layout_of_mmvp_is_the_official_one(mmvp):
    assert (
        (mmvp / "Questions.csv").read_text().startswith("Index,Question,Options,Correct Answer\n1,")
    )
    assert [int(row["Index"]) for row in rows(mmvp / "Questions.csv")] == list(range(1, 37))
    patterns = rows(mmvp / "Patterns.csv")
    assert Counter(row["Type"] for row in patterns) == dict.fromkeys(TYPES.values(), 4)
    for number in range(1, 37):
        with Image.open(mmvp / f"MMVP Images/{number}.jpg") as image:
            assert image.size == (64, 64)
            assert JpegImagePlugin.get_sampling(image) == 0  # 4:4:4
    receipt = read_receipt(mmvp / "acquired.json")
    assert (receipt["layout"], receipt["splits"]) == (
        "mmvp",
        {"test": {"images": 36, "questions": 36}},
    )


def test_layout_of_mmvp_vlm_is_the_official_one(vlm):
    told = rows(vlm / "Questions.csv")
    assert list(told[0]) == ["Question ID", "Type", "Statement"]
    for row in told:
        assert (vlm / "MLLM_VLM Images" / row["Type"] / f"{row['Question ID']}.jpg").is_file()
    folders = {p.name for p in (vlm / "MLLM_VLM Images").iterdir()}
    assert folders == set(TYPES.values())
    assert read_receipt(vlm / "acquired.json")["layout"] == "mmvp_vlm"


@pytest.mark.parametrize("layout", ["mmvp", "vlm"])
def test_everything_shows_in_the_images(layout, request):
    root = request.getfixturevalue(layout)
    for pair in pairs(root):
        first, second = (read(root / path) for path in pair["images"])
        assert (abs(first - second).max(axis=-1) >= 24).sum() >= 12
        for number, plan in zip((1, 2), pair["plans"], strict=True):
            mask = read(root / f"truth/test/{2 * pair['pair'] + number}_mask.png")[..., 0]
            counts = np.bincount(mask.ravel(), minlength=len(plan["objects"]) + 1)[1:]
            assert counts.tolist() == [obj["visible_px"] for obj in plan["objects"]]
            assert counts.min() >= 12


@pytest.mark.parametrize("pattern", [p for p in PATTERNS if p != "viewpoint"])
def test_noise_is_equal_outside_the_difference(pattern):
    pair, (first, second) = draw_views(("mmvp", "test", 0), pattern, SETTINGS, 7)
    other = render(scene_of(pair.plans[1]), SETTINGS, 8)
    assert (first.rgb == second.rgb).all(axis=-1).mean() > 0.3
    assert (first.rgb == other.rgb).all(axis=-1).mean() < 0.1


def test_the_position_of_the_right_option_is_uninformative(mmvp):
    answers = [row["Correct Answer"] for row in rows(mmvp / "Questions.csv")]
    assert Counter(answers) == {"(a)": 18, "(b)": 18}
    assert set(answers[::2]) == {"(a)", "(b)"}  # also for the first item of a pair


def test_pairs_are_spread_evenly_in_the_order_of_the_paper():
    for count in (9, 18, 20, 135):
        spread = [pattern_of(i, count) for i in range(count)]
        sizes = Counter(spread).values()
        assert max(sizes) - min(sizes) <= 1
        assert list(dict.fromkeys(spread)) == list(PATTERNS) == list(TYPES)
    assert [pattern_of(i, 135) for i in range(0, 135, 15)] == list(PATTERNS)


def test_questions_are_about_one_thing_only():
    for pattern in ("color", "presence", "position", "quantity"):
        for pair in drawn_pairs(pattern, 40):
            for plan in pair.plans:
                others = [o for o in plan["objects"] if o in pair.others]
                assert all(o["shape"] != pair.thing["shape"] for o in others)
                assert all(o["shape"] != pair.partner.get("shape") for o in others)


def test_a_letter_is_upright_on_its_sign():
    sign = {"shape": "sign", "form": "panel", "size": "large", "color": "blue", "accent": "red"}
    sign |= {"material": "rubber", "rotation": 0.0, "3d_coords": [0, 0, 0.7], "text": "L"}
    camera = {"position": [0, -9, 6], "target": [0, 0, 0.3], "fov": 22}
    plan = {"objects": [sign], "camera": camera, "lights": [[0, 0, 0], [0, 0, 0]]}
    view = render(scene_of(plan), SETTINGS, 1)
    rows_, columns = np.nonzero(view.part)
    dark = view.rgb.max(axis=-1) < 70
    top, left = (rows_.min() + rows_.max()) / 2, (columns.min() + columns.max()) / 2
    down, across = np.nonzero(dark & (view.part == 1))
    assert np.mean(down > top) > 0.5 and np.mean(across < left) > 0.6
    assert draw_text("L").shape == (64, 64, 3)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["mmvp", "mmvp_vlm"])
def test_bytes_do_not_depend_on_the_number_of_shards(layout, tmp_path):
    one = draw(tmp_path / "one", layout, {"test": 10}, shards=1)
    assert tree(one) == tree(draw(tmp_path / "three", layout, {"test": 10}, shards=3))


def test_an_odd_number_of_images_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"splits\.test is 7; .* even"):
        draw(tmp_path, "mmvp", {"test": 7})


def test_a_second_split_is_refused(tmp_path):
    with pytest.raises(UserError, match="test, val; this layout has exactly one"):
        draw(tmp_path, "mmvp", {"test": 2, "val": 2})


def test_an_invisible_difference_is_refused_with_the_setting_to_change(tmp_path):
    with pytest.raises(UserError, match=r"lower rendering\.min_visible_px"):
        draw(tmp_path, "mmvp", {"test": 2}, image_px=[4, 4], min_visible_px=15)
