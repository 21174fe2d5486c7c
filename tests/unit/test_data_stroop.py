"""The user's own Stroop images become items that match the table; faults are named."""

import csv
import json
from pathlib import Path

import pytest
from mmvp_fixture import acquire, draw, prepare

from eyechart.core.errors import UserError
from eyechart.data.layouts import base as layouts_base
from eyechart.data.layouts.stroop import layout as stroop_layout
from eyechart.data.layouts.stroop import prepare as stroop_prepare

ROOT = Path("data/raw/stroop")
HEADER = ["file", "word", "font", "background"]
PLACED = [*HEADER, "typeface", "size_px", "x", "y"]
WORDS = [
    ["words/black_in_blue.png", "black", "blue", "white", "serif", "12", "1", "7"],
    ["words/blue_in_blue.png", "blue", "blue", "white", "serif", "12", "1.5", "7"],
    ["words/white_in_black.jpg", "white", "black", "blue", "", "", "", ""],
]
PROMPTS = ["Describe the color in this image in one word.", "Which color?"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def make(root, rows=WORDS, header=PLACED, pictures=("000.png", "001.jpeg")):
    write(root / "Stroop.csv", header, rows)
    for number, row in enumerate(rows):
        draw(root / row[0], number)
    for name in ("white", "black", "blue"):
        for number, file in enumerate(pictures):
            draw(root / "concepts" / name / file, number)
    return root


def examine(**changes):
    acquire(Path("mine"), "stroop", ROOT)
    return prepare(stroop_prepare, ROOT, {"prompts": PROMPTS, **changes})


def test_items_are_images_times_prompts_and_the_answer_is_the_font_colour():
    make(Path("mine/stroop"))
    items, images = examine()
    assert len(items) == 2 * len(images) == 2 * (3 + 6)
    assert items["choices"].to_list() == [["black", "blue", "white"]] * 18
    row = items.filter(item_id="word_black_in_blue_1").row(0, named=True)
    assert row["answer"] == "blue"
    assert row["prompt"] == row["type"] == PROMPTS[1]
    assert row["task"] == "stroop"
    assert row["images"] == ["word_black_in_blue"]
    assert json.loads(row["meta"]) == {
        "word": "black", "font": "blue", "background": "white", "typeface": "serif",
        "size_px": 12, "contrast": None, "place": "6", "wording": 1,
    }  # fmt: skip
    concept = items.filter(item_id="concept_white_000_0").row(0, named=True)
    assert (concept["task"], concept["answer"]) == ("concept", "white")
    assert json.loads(concept["meta"]) == {"rgb": None, "wording": 0}


def test_a_group_is_a_typeface_at_a_position_or_an_image():
    make(Path("mine"))
    items, images = examine()
    groups = dict(images.select("image_id", "group").iter_rows())
    assert groups["word_black_in_blue"] == groups["word_blue_in_blue"] == "typeface_serif_place_6"
    assert groups["word_white_in_black"] == "word_white_in_black"
    assert groups["concept_blue_001"] == "concept_blue_001"
    of_items = items.select(image="images", group="group").explode("image").unique()
    assert dict(of_items.iter_rows()) == groups


def test_images_have_the_cues_as_labels():
    make(Path("mine"))
    _, images = examine()
    row = images.filter(image_id="word_black_in_blue").row(0, named=True)
    labels = ["label/word", "label/font", "label/background", "label/concept"]
    assert [row[name] for name in labels] == ["black", "blue", "white", None]
    assert row["type"] == "blue on white"
    assert row["path"] == "data/raw/stroop/words/black_in_blue.png"
    assert (row["width"], row["height"]) == (10, 8)
    own = images.filter(image_id="concept_black_000").row(0, named=True)
    assert [own[name] for name in labels] == [None, None, None, "black"]


def test_the_palette_gives_order_and_values_and_leaves_out_other_folders():
    make(Path("mine"))
    draw(Path("mine/concepts/teal/0.png"), 1)
    rows = [["white", 255, 255, 255], ["blue", 0, 0, 255], ["black", 0, 0, 0]]
    write(Path("mine/Palette.csv"), ["name", "red", "green", "blue"], rows)
    items, images = examine()
    assert items["choices"][0].to_list() == ["white", "blue", "black"]
    meta = items.filter(item_id="concept_blue_000_0")["meta"][0]
    assert json.loads(meta)["rgb"] == [0, 0, 255]
    assert not images["image_id"].str.contains("teal").any()


def test_only_the_required_columns_are_needed():
    make(Path("mine"), [row[:4] for row in WORDS], HEADER)
    items, images = examine()
    assert len(items) == 18
    assert images.filter(image_id="word_black_in_blue")["group"][0] == "word_black_in_blue"


def changed(place, column, value, rows=WORDS):
    rows = [list(row) for row in rows]
    rows[place][PLACED.index(column)] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            changed(0, "font", "blu"),
            r"line 2: font is 'blu', which is not a colour of the palette; did",
        ),
        (changed(2, "word", "teal"), r"line 4: word is 'teal', .*There are: black, blue, white"),
        (changed(1, "background", ""), r"line 3: background is '', which is not a colour"),
        (changed(1, "file", WORDS[0][0]), r"line 3: file '.*' is already in .*line 2"),
        (
            changed(0, "file", "words/none.png"),
            r"line 2: file is 'words/none.png', but this image does",
        ),
        (
            changed(0, "file", "../a.png"),
            r"line 2: file is '../a.png', expected the path of an imag",
        ),
        (changed(0, "file", "words/a.txt"), r"line 2: file is 'words/a.txt', expected the path"),
        (changed(0, "x", "left"), r"line 2: x is 'left', expected a number, 0 or above"),
        (changed(0, "size_px", "-3"), r"line 2: size_px is '-3', expected a number, 0 or above"),
        (changed(0, "y", "nan"), r"line 2: y is 'nan', expected a number"),
    ],
)
def test_a_fault_in_the_table_is_one_sentence_with_its_line(rows, words):
    make(Path("mine"))
    write(Path("mine/Stroop.csv"), PLACED, rows)
    with pytest.raises(UserError, match=rf"^mine/Stroop.csv: {words}"):
        acquire(Path("mine"), "stroop", ROOT)
    assert not ROOT.exists()


def test_missing_columns_tables_folders_and_images_are_reported():
    make(Path("mine"), [row[:3] for row in WORDS], HEADER[:3])
    with pytest.raises(UserError, match=r"Stroop.csv: column 'background' is missing"):
        acquire(Path("mine"), "stroop", ROOT)
    Path("mine/Stroop.csv").unlink()
    with pytest.raises(UserError, match=r"mine/Stroop.csv: no such file"):
        acquire(Path("mine"), "stroop", ROOT)
    make(Path("fewer"), pictures=("000.png",))
    with pytest.raises(UserError, match=r"fewer/concepts/black: 1 images of the colour 'black', "):
        acquire(Path("fewer"), "stroop", ROOT)
    Path("empty").mkdir()
    with pytest.raises(
        UserError, match=r"empty/concepts: no such folder, expected one folder of imag"
    ):
        acquire(Path("empty"), "stroop", ROOT)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["blue", 0, 0, 256]], "line 2: blue is '256', expected a number from 0 to 255"),
        ([["blue", 0, 0, 1], ["blue", 0, 0, 2]], "line 3: name 'blue' occurs twice"),
        ([["", 0, 0, 1]], "line 2: name '' is empty"),
    ],
)
def test_a_fault_in_the_palette_is_reported(rows, words):
    make(Path("mine"))
    write(Path("mine/Palette.csv"), ["name", "red", "green", "blue"], rows)
    with pytest.raises(UserError, match=f"^mine/Palette.csv: {words}"):
        acquire(Path("mine"), "stroop", ROOT)


def test_a_colour_of_the_palette_without_images_is_reported():
    make(Path("mine"))
    write(Path("mine/Palette.csv"), ["name", "red", "green", "blue"], [["teal", 0, 128, 128]])
    with pytest.raises(UserError, match=r"mine/concepts/teal: 0 images of the colour 'teal'"):
        acquire(Path("mine"), "stroop", ROOT)


def test_two_images_with_the_same_name_are_refused():
    make(Path("mine"))
    draw(Path("mine/concepts/blue/000.jpg"), 5)
    with pytest.raises(UserError, match=r"would both have the id 'concept_blue_000'; rename one"):
        examine()


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        ([], r"datasets.stroop.prompts is \[\], expected a list of at least one prompt"),
        ("Which?", "prompts is 'Which.', expected a list"),
        (["Which?", " "], "the prompt ' ' is empty"),
        (["Which?", "Which?"], "the prompt 'Which.' occurs twice"),
    ],
)
def test_invalid_prompts_are_refused(prompts, words):
    make(Path("mine"))
    with pytest.raises(UserError, match=words):
        examine(prompts=prompts)


def test_one_split_of_any_name_and_the_members_of_an_archive():
    with pytest.raises(UserError, match="the layout 'stroop' has no splits"):
        layouts_base.check_released(stroop_layout, ["train", "test"])
    for name, path in {
        "stroop/words/a.PNG": "words/a.PNG",
        "concepts/red/1.jpg": "concepts/red/1.jpg",
        "Stroop/Palette.csv": "Palette.csv",
        "concepts/red/._1.jpg": None,
        "words/notes.txt": None,
        "LICENSE": None,
    }.items():
        assert layouts_base.member(stroop_layout, name, ["test"]) == path
