"""MMVP-VLM: pairs and answers by id, patterns by Type, both folder names."""

import json
from pathlib import Path

import pytest
from mmvp_fixture import STATEMENTS, VLM_HEADER, acquire, make_mmvp_vlm, prepare, write_rows

from eyechart.core.errors import UserError
from eyechart.data.layouts.mmvp_vlm import prepare as mmvp_vlm_prepare

ROOT = Path("data/raw/mmvp_vlm")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def examine(rows=STATEMENTS, folder="MLLM_VLM Images", out="out"):
    make_mmvp_vlm(Path("mine/MMVP_VLM"), rows, folder)
    acquire(Path("mine"), "mmvp_vlm", ROOT)
    return prepare(mmvp_vlm_prepare, ROOT, {}, out)


def test_a_statement_asks_which_of_its_pairs_images_it_is_true_of():
    items, images = examine()
    assert items["prompt"].to_list() == [row[2] for row in STATEMENTS]
    assert (
        items["images"].to_list()
        == [["image_001", "image_002"]] * 2 + [["image_003", "image_004"]] * 2
    )
    assert set(map(tuple, items["choices"])) == {("first", "second")}
    assert items["answer"].to_list() == ["first", "second"] * 2
    assert items["task"].to_list() == ["viewpoint", "viewpoint", "structure", "structure"]
    assert items["pair"].to_list() == ["pair_001", "pair_001", "pair_002", "pair_002"]
    assert json.loads(items["meta"][2]) == {
        "form": "which_image",
        "question_id": 3,
        "type": "Structural Character",
    }
    assert images["path"][0] == "data/raw/mmvp_vlm/MLLM_VLM Images/Camera_Perspective/1.jpg"


@pytest.mark.parametrize("top", ["MMVP_VLM_Images", "MLLM_VLM_Images", "MMVP VLM Images"])
def test_neither_the_order_of_rows_nor_the_name_of_the_folder_changes_an_item(top):
    expected, _ = examine()
    shuffled, _ = examine([STATEMENTS[n] for n in (3, 0, 2, 1)], out="shuffled")
    assert shuffled.equals(expected)
    for path in Path("mine/MMVP_VLM").glob("MLLM*"):
        path.rename(path.with_name(top))
    acquire(Path("mine"), "mmvp_vlm", Path("data/raw/other"))
    renamed, images = prepare(mmvp_vlm_prepare, Path("data/raw/other"), {}, "renamed")
    assert renamed.drop("group_split").equals(expected.drop("group_split"))
    assert f"/{top}/" in images["path"][0]


def edited(place, column, value):
    rows = [list(row) for row in STATEMENTS]
    rows[place][VLM_HEADER.index(column)] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (STATEMENTS[:3], r"line 4: Question ID 3 lacks its partner 4 among the 3 rows"),
        ([*STATEMENTS, STATEMENTS[0]], r"line 6: Question ID 1 is already in .*: line 2"),
        (edited(0, "Type", "Smell"), r"line 2: Type is 'Smell', .*orientation, presence, .*text"),
        (edited(0, "Type", "Text"), r"line 2: Type 'Text' differs from 'Camera_Perspective' of"),
        (edited(0, "Type", "../Text"), r"line 2: Type is '../Text', expected a plain folder name"),
        (edited(0, "Statement", ""), r"line 2: Statement is empty"),
        (edited(0, "Question ID", "1.5"), r"line 2: Question ID is '1.5', expected a number"),
    ],
)
def test_a_fault_in_the_statements_is_one_sentence_with_its_line(rows, words):
    make_mmvp_vlm(Path("mine"))
    write_rows(Path("mine/Questions.csv"), VLM_HEADER, rows)
    with pytest.raises(UserError, match=f"^mine/Questions.csv: {words}"):
        acquire(Path("mine"), "mmvp_vlm", ROOT)


def test_a_missing_image_folder_or_column_is_reported():
    make_mmvp_vlm(Path("mine"))
    (Path("mine/MLLM_VLM Images/Camera_Perspective/2.jpg")).unlink()
    with pytest.raises(UserError, match=r"Camera_Perspective/2.jpg: no such image, but .*line 3"):
        acquire(Path("mine"), "mmvp_vlm", ROOT)
    Path("mine/MLLM_VLM Images").rename("mine/Pictures")
    with pytest.raises(UserError, match=r"mine: no image folder, expected MLLM_VLM Images"):
        acquire(Path("mine"), "mmvp_vlm", ROOT)
    write_rows(Path("mine/Questions.csv"), ["Question Id", "Type", "Statement"], STATEMENTS)
    with pytest.raises(UserError, match=r"'Question ID' is missing; did you mean 'Question Id'"):
        acquire(Path("mine"), "mmvp_vlm", ROOT)
