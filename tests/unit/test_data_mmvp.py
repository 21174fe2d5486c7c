"""MMVP: pairs by Index, choices from options, two published corrections, faulty lists."""

import json
import zipfile
from pathlib import Path
from shutil import rmtree

import pytest
from mmvp_fixture import HEADER, QUESTIONS, acquire, draw, make_mmvp, prepare, write_rows

from eyechart.core.errors import UserError
from eyechart.data.layouts.mmvp import layout as mmvp_layout
from eyechart.data.layouts.mmvp import prepare as mmvp_prepare
from eyechart.data.layouts.mmvp.tasks import PATTERNS, pattern_of

ROOT = Path("data/raw/mmvp")
TUSKS = "Does the elephant have long or short tusks?"
POSTURE = "Is the elderly person standing or sitting in the picture?"
OFFICIAL = [
    ["99", TUSKS, "(a) Long (b) Short", "(a)"],
    ["100", TUSKS, "(a) Long (b) Short", "(b)"],
    ["279", POSTURE, "(a) Standing (b) Sitting", "(a)"],
    ["280", POSTURE, "(a) Standing (b) Sitting", "(b)"],
]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def examine(rows=QUESTIONS, corrections=False, out="out"):
    make_mmvp(Path("mine/MMVP"), rows)
    acquire(Path("mine"), "mmvp", ROOT)
    return prepare(mmvp_prepare, ROOT, {"corrections": corrections}, out)


def test_items_say_what_the_rows_say():
    items, images = examine()
    assert items["item_id"].to_list() == [f"question_00{n}" for n in (1, 2, 3, 4)]
    assert items["prompt"].to_list() == [row[1] for row in QUESTIONS]
    assert items["choices"].to_list()[0] == ["Open", "Closed"]
    assert items["choices"].to_list()[2] == ['"Go"', '"Go!"', '"No"']
    assert items["answer"].to_list() == ["Open", "Closed", '"No"', '"Go"']
    assert items["images"].to_list() == [[f"image_00{n}"] for n in (1, 2, 3, 4)]
    assert items["pair"].to_list() == ["pair_001", "pair_001", "pair_002", "pair_002"]
    assert items["group"].equals(items["pair"].alias("group"))
    assert set(items["task"]) == {"mmvp"}
    assert json.loads(items["meta"][3]) == {
        "index": 4,
        "options": QUESTIONS[3][2],
        "official": "(a)",
        "corrections": False,
        "corrected": False,
    }
    assert images["path"].to_list()[1] == "data/raw/mmvp/MMVP Images/2.jpg"
    assert (images["width"][0], images["height"][0]) == (10, 8)
    assert set(items["group_split"]) == set(images["group_split"]) == {"test"}


def test_the_order_of_rows_changes_nothing():
    examine(out="sorted")
    examine([QUESTIONS[n] for n in (2, 1, 3, 0)], out="shuffled")
    for name in ("items", "images"):
        first, second = (Path(d, f"{name}.parquet").read_bytes() for d in ("sorted", "shuffled"))
        assert first == second


def test_images_may_lie_in_a_folder_of_the_other_name():
    named, _ = examine()
    make_mmvp(Path("other"))
    Path("other/MMVP Images").rename("other/MMVP_Images")
    acquire(Path("other"), "mmvp", Path("data/raw/other"))
    found, images = prepare(mmvp_prepare, Path("data/raw/other"), {"corrections": False}, "there")
    assert found.equals(named)
    assert images["path"][0] == "data/raw/other/MMVP_Images/1.jpg"


def test_the_table_of_patterns_gives_the_tasks():
    make_mmvp(Path("mine"))
    types = ["State and Condition", "state", "TEXTS", "Text"]
    rows = [[row[0], kind] for row, kind in zip(QUESTIONS, types, strict=True)]
    write_rows(Path("mine/Patterns.csv"), ["Index", "Type"], rows[::-1])
    acquire(Path("mine"), "mmvp", ROOT)
    items, images = prepare(mmvp_prepare, ROOT, {"corrections": False})
    assert items["task"].to_list() == ["state", "state", "text", "text"]
    assert images["type"].to_list() == ["state", "state", "text", "text"]


def test_corrections_exchange_the_answers_of_two_pairs_and_say_so():
    released, _ = examine(OFFICIAL)
    corrected, _ = examine(OFFICIAL, corrections=True, out="corrected")
    by_index = sorted(range(4), key=lambda n: int(OFFICIAL[n][0]))
    assert [released["answer"][n] for n in by_index] == ["Long", "Short", "Standing", "Sitting"]
    assert [corrected["answer"][n] for n in by_index] == ["Short", "Long", "Sitting", "Standing"]
    for meta in map(json.loads, corrected["meta"]):
        assert meta["corrections"]
        assert meta["corrected"]
    assert [json.loads(meta)["official"] for meta in corrected["meta"]] == ["(a)", "(b)"] * 2
    for meta in map(json.loads, released["meta"]):
        assert not meta["corrected"]


@pytest.mark.parametrize("change", ["question", "answers", "options"])
def test_only_the_official_row_with_its_released_answer_is_corrected(change):
    rows = [list(row) for row in OFFICIAL]
    for number, row in enumerate(rows):
        if change == "question":
            row[1] = "Is the cube long or short?"
        elif change == "answers":  # an already corrected copy
            row[3] = ["(b)", "(a)"][number % 2]
        else:
            row[2] = "(a) Yes (b) No"
    expected, _ = examine(rows)
    items, _ = examine(rows, corrections=True, out="asked")
    assert items["answer"].equals(expected["answer"])
    assert not any(json.loads(meta)["corrected"] for meta in items["meta"])
    assert all(json.loads(meta)["corrections"] for meta in items["meta"])


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("(a) Open (b) Closed", ["Open", "Closed"]),
        ("(A)Open(B) Closed ", ["Open", "Closed"]),
        ("(a) 1 (b) 2 (c) 3 (d) 4", ["1", "2", "3", "4"]),
        ("(a) Left (of him) (b) Right", ["Left (of him)", "Right"]),
    ],
)
def test_options_are_parsed(text, choices):
    assert mmvp_layout.parse_options(text, "here") == choices


@pytest.mark.parametrize(
    "text",
    ["", "Open, closed", "(a) Open", "(a) Open (c) Closed", "(b) Open (a) Closed", "(a) (b) Closed",
     "Well: (a) Open (b) Closed", "(a) Open (b) Open", "(a) Open (a) Closed"],
)  # fmt: skip
def test_options_of_another_form_are_refused(text):
    with pytest.raises(UserError, match=r"^here: Options is "):
        mmvp_layout.parse_options(text, "here")


def edited(place, column, value):
    rows = [list(row) for row in QUESTIONS]
    rows[place][HEADER.index(column)] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (QUESTIONS[:3], r"line 4: Index 3 lacks its partner 4 among the 3 rows"),
        ([*QUESTIONS, QUESTIONS[0]], r"line 6: Index 1 is already in .*Questions.csv: line 2"),
        (edited(0, "Index", "one"), r"line 2: Index is 'one', expected a number above 0"),
        (edited(0, "Index", "0"), r"line 2: Index is '0', expected a number above 0"),
        (edited(1, "Correct Answer", "(c)"), r"line 3: Correct Answer is '\(c\)', expected one of"),
        (edited(1, "Correct Answer", "Closed"), r"line 3: Correct Answer is 'Closed', expected"),
        (edited(1, "Correct Answer", "(a)"), r"line 2: Correct Answer \(a\) is also the answer of"),
        (edited(1, "Question", "Is it open?"), r"line 2: question .* differs from 'Is it open\?'"),
        (edited(1, "Question", ""), r"line 3: Question is empty"),
        (edited(1, "Options", "Open/Closed"), r"line 3: Options is 'Open/Closed', expected"),
    ],
)  # fmt: skip
def test_a_fault_in_the_questions_is_one_sentence_with_its_line(rows, words):
    for row in QUESTIONS:
        draw(Path(f"mine/MMVP Images/{row[0]}.jpg"), 1)
    write_rows(Path("mine/Questions.csv"), HEADER, rows)
    with pytest.raises(UserError, match=f"^mine/Questions.csv: {words}"):
        acquire(Path("mine"), "mmvp", ROOT)
    assert not ROOT.exists()


def test_a_missing_column_image_or_list_is_reported():
    make_mmvp(Path("mine"))
    write_rows(Path("mine/Questions.csv"), [*HEADER[:3], "Correct Anser"], QUESTIONS)
    with pytest.raises(UserError, match=r"'Correct Answer' is missing; did you mean 'Correct Anse"):
        acquire(Path("mine"), "mmvp", ROOT)
    make_mmvp(Path("mine"))
    Path("mine/MMVP Images/3.jpg").unlink()
    with pytest.raises(UserError, match=r"3.jpg: no such image, but .*: line 4 asks about it"):
        acquire(Path("mine"), "mmvp", ROOT)
    Path("mine/Questions.csv").unlink()
    with pytest.raises(UserError, match=r"mine/Questions.csv: no such file"):
        acquire(Path("mine"), "mmvp", ROOT)


def test_several_splits_are_refused_and_any_one_name_will_do():
    make_mmvp(Path("mine"))
    with pytest.raises(UserError, match=r"layout 'mmvp' has no splits; give a single name"):
        acquire(Path("mine"), "mmvp", ROOT, ("train", "val"))
    acquire(Path("mine"), "mmvp", ROOT, ("train",))
    items, _ = prepare(mmvp_prepare, ROOT, {"corrections": False, "splits": ["train"]})
    assert set(items["split"]) == {"train"}


def test_a_pattern_that_a_row_lacks_or_that_is_none_is_reported():
    make_mmvp(Path("mine"))
    write_rows(Path("mine/Patterns.csv"), ["Index", "Type"], [["1", "State"]])
    with pytest.raises(UserError, match=r"line 3: Index 2 has no row in Patterns.csv"):
        acquire(Path("mine"), "mmvp", ROOT)
    write_rows(Path("mine/Patterns.csv"), ["Index", "Type"], [["1", "Sound"]])
    with pytest.raises(UserError, match=r"Patterns.csv: line 2: Type is 'Sound', expected one of"):
        acquire(Path("mine"), "mmvp", ROOT)


def test_a_zip_of_the_official_layout_is_taken():
    make_mmvp(Path("mine/MMVP"))
    Path("mine/MMVP/Questions.xlsx").write_text("not needed")
    with zipfile.ZipFile("mmvp.zip", "w") as opened:
        for path in sorted(Path("mine").rglob("*.*")):
            opened.write(path, path.relative_to("mine"))
    acquire(Path("mmvp.zip"), "mmvp", ROOT)
    assert sorted(p.name for p in ROOT.rglob("*.*") if p.name != "acquired.json") == [
        *("1.jpg", "2.jpg", "3.jpg", "4.jpg", "Questions.csv")
    ]


def test_every_name_of_a_pattern_is_known_and_no_other():
    named = {
        "Orientation and Direction": "orientation",
        "PRESENCE": "presence",
        "Presence of Specific Features": "presence",
        "state_and_condition": "state",
        "Quantity and Count": "quantity",
        "Positional and Relational Context": "position",
        "Spatial": "position",
        "Color and Appearance": "color",
        "colour": "color",
        "Structural Characteristics": "structure",
        "Structure": "structure",
        "Texts": "text",
        "Camera_Perspective": "viewpoint",
        "Viewpoint and Perspective": "viewpoint",
    }
    assert {name: pattern_of(name, "here") for name in named} == named
    assert set(named.values()) == set(PATTERNS)
    assert len(PATTERNS) == 9
    for name in ("", "Context", "Sound", "Color and Text", "Restate"):
        with pytest.raises(UserError, match=r"here: Type is .*: orientation, presence, state,"):
            pattern_of(name, "here")


def test_the_released_spelling_of_the_first_column_is_read_alike():
    plain = examine()
    rmtree("mine")
    header = ["lndex", *HEADER[1:]]
    write_rows(Path("mine/Questions.csv"), header, QUESTIONS)
    for number in range(1, 5):
        draw(Path(f"mine/MMVP Images/{number}.jpg"), number)
    acquire(Path("mine"), "mmvp", Path("data/raw/lndex"))
    again = prepare(mmvp_prepare, Path("data/raw/lndex"), {"corrections": False}, "again")
    assert again[0].equals(plain[0])
    assert again[0]["answer"].to_list() == ["Open", "Closed", '"No"', '"Go"']


def test_options_of_its_own_in_one_row_are_told_and_the_dataset_is_read(caplog):
    with caplog.at_level("WARNING"):
        items, _ = examine(edited(1, "Options", "(a) Closed (b) Wide open"))
    assert "line 2: options '(a) Open (b) Closed' differ from" in caplog.text
    assert items["choices"].to_list()[:2] == [["Open", "Closed"], ["Closed", "Wide open"]]
    assert items["answer"].to_list()[:2] == ["Open", "Wide open"]
    with pytest.raises(UserError, match=r"Correct Answer \(a\) is also the answer of its partner"):
        examine(edited(1, "Options", "(a) Closed (b) Open"))
