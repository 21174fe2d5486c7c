"""MOCHI: trials of three or four images become items; bad rows raise a one-sentence error."""

import json
from pathlib import Path

import pytest
from mmvp_fixture import acquire
from mochi_fixture import make_mochi, row
from skills_fixture import check_tables, regions_of
from skills_fixture import prepare as prepare_with

from eyechart.core.errors import UserError
from eyechart.data.layouts import base as layouts_base
from eyechart.data.layouts.mochi import layout as mochi_layout
from eyechart.data.layouts.mochi import prepare as mochi_prepare

ROOT = Path("data/raw/mochi")
ROWS = [row(1, 3, 2), row(2, 4, 0), row(3, 3, 1)]
ASKED = "Which picture shows a different object?"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def examine(rows=ROWS, wording=ASKED, **settings):
    make_mochi(Path("mine"), rows)
    acquire(Path("mine"), "mochi", ROOT, ("train",))
    wording = {"odd_one_out": wording}
    return prepare_with(mochi_prepare, ROOT, ["train"], wording=wording, **settings)


def test_the_odd_one_is_the_letter_of_its_image():
    items, images, regions = examine()
    check_tables(items, images, regions)
    assert items["answer"].to_list() == ["C", "A", "B"]
    assert items["choices"].to_list() == [list("ABC"), list("ABCD"), list("ABC")]
    assert set(items["prompt"]) == {ASKED}
    assert set(items["type"]) == {"shapegen_abstract2"}
    assert json.loads(items["meta"][0])["trial"] == "shapegen1"


def test_every_image_is_its_own_region():
    _, _, regions = examine(columns=2)
    alone = regions_of(regions, "trial_0002", "alone")
    assert alone["D"] == ("trial_0002_4", (0, 0, 40, 40))
    on = regions_of(regions, "trial_0002", "canvas")
    assert {name for name, _ in on.values()} == {"trial_0002_canvas"}
    assert on["A"][1][0] == on["C"][1][0] < on["B"][1][0]  # two in a row
    assert on["A"][1][1] == on["B"][1][1] < on["C"][1][1]


def test_trials_that_show_the_same_image_are_one_group():
    rows = [row(1, 3, 0), row(2, 3, 0), row(3, 3, 0)]
    rows[2]["images"][1] = rows[0]["images"][0]
    items, _, _ = examine(rows)
    assert items["group"][0] == items["group"][2] != items["group"][1]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"oddity_index": 3}, r"oddity_index is 3, expected 0 to 2"),
        ({"oddity_index": -1}, r"oddity_index is -1, expected 0 to 2"),
        ({"oddity_index": None}, r"oddity_index is None, expected a whole number"),
        ({"n_objects": 4}, r"3 images and n_objects 4, expected equal, 3 or 4"),
        ({"images": None}, r"0 images and n_objects 3, expected equal, 3 or 4"),
        ({"images": row(1, 3, 0)["images"][:2], "n_objects": 2}, r"2 images and n_objects 2, exp"),
        ({"images": [{"bytes": b"?", "path": ""}] * 3}, r"image 1: not a complete image"),
    ],
)
def test_a_bad_row_is_a_one_sentence_error(cells, words):
    with pytest.raises(UserError, match=f"row 1: {words}") as raised:
        examine([row(1, 3, 0) | cells])
    assert "\n" not in str(raised.value)


def test_shards_must_be_complete_and_the_question_custom():
    make_mochi(Path("mine"), ROWS, "00000-of-00002")
    with pytest.raises(
        UserError, match=r"mine: 1 files data/train-\*.parquet, expected a complete set"
    ):
        acquire(Path("mine"), "mochi", ROOT, ("train",))
    make_mochi(Path("mine"), ROWS, "00001-of-00002")
    acquire(Path("mine"), "mochi", ROOT, ("train",))
    wording = {"odd_one_out": "official"}
    with pytest.raises(UserError, match=r"odd_one_out is 'official', but the dataset has no quest"):
        prepare_with(mochi_prepare, ROOT, ["train"], wording=wording)
    wording = {"odd_one_out": ASKED}
    items, _, _ = prepare_with(mochi_prepare, ROOT, ["train"], wording=wording, most=4)
    assert len(items) == 4
    assert layouts_base.member(mochi_layout, "data/train-00000-of-00001.parquet", ["train"])
    assert layouts_base.member(mochi_layout, "example_trial.png", ["train"]) is None


def test_without_marks_images_have_no_names_above_them():
    _, marked, _ = examine(canvas_px=None, square=False, gap=0.0)
    _, plain, _ = examine(canvas_px=None, square=False, gap=0.0, marks=False)
    of = {row["image_id"]: (row["width"], row["height"]) for row in plain.iter_rows(named=True)}
    assert of["trial_0001_canvas"] == (120, 40)
    heights = dict(marked.select("image_id", "height").iter_rows())
    assert heights["trial_0001_canvas"] > 40
