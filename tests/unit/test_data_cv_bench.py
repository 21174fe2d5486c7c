"""CV-Bench: depth-order rows become items with two boxes; bad rows raise a one-sentence error."""

import logging
from pathlib import Path

import pytest
from cv_bench_fixture import BOXES, SIZE, make_cv_bench, row
from mmvp_fixture import acquire
from skills_fixture import check_tables, one, photo, regions_of
from skills_fixture import prepare as prepare_with

from eyechart.core.errors import UserError
from eyechart.data.layouts import base as layouts_base
from eyechart.data.layouts.cv_bench import layout as cv_bench_layout
from eyechart.data.layouts.cv_bench import prepare as cv_bench_prepare
from eyechart.data.open_image import png

ROOT = Path("data/raw/cv_bench")
ROWS = [row(1438, "(A)"), row(1439, "(B)"), row(1500, "(A)"), row(2038, "(A)", "Distance")]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def examine(rows=ROWS, wording="official", **settings):
    make_cv_bench(Path("mine"), rows)
    acquire(Path("mine"), "cv_bench", ROOT, ("test",))
    wording = {"depth_order": wording}
    return prepare_with(cv_bench_prepare, ROOT, ["test"], wording=wording, **settings)


def test_only_rows_about_depth_order_become_items():
    items, images, regions = examine()
    check_tables(items, images, regions)
    assert items["item_id"].to_list() == ["depth_001438", "depth_001439", "depth_001500"]
    assert items["answer"].to_list() == ["sink", "bottle", "sink"]
    assert set(items["task"]) == {"depth_order"}
    assert items["prompt"][0].endswith("the bottle (highlighted by a blue box)?")
    assert items["choices"].to_list()[0] == ["sink", "bottle"]


def test_boxes_are_in_the_order_of_the_choices():
    _, _, regions = examine()
    found = regions_of(regions, "depth_001438", "alone")
    assert [list(found[letter][1]) for letter in "AB"] == BOXES
    assert {place[0] for place in found.values()} == {"depth_001438_1"}


def test_questions_about_one_source_image_are_one_group():
    items, _, _ = examine()
    groups = dict(items.select("item_id", "group").iter_rows())
    assert groups["depth_001438"] == groups["depth_001439"] != groups["depth_001500"]


def test_a_wording_may_name_both_objects():
    items, _, _ = examine(wording="Is the {a} or the {b} nearer?")
    assert set(items["prompt"]) == {"Is the sink or the bottle nearer?"}


def test_a_box_that_extends_beyond_the_image_is_clipped_and_counted(caplog):
    rows = [row(1, "(A)") | {"bbox": [[-3.0, 2.0, 20.0, 45.0], BOXES[1]]}, row(2, "(B)")]
    with caplog.at_level(logging.WARNING):
        _, _, regions = examine(rows)
    assert regions_of(regions, "depth_000001", "alone")["A"][1] == (0, 2, 20, SIZE[1])
    assert "boxes of 1 items extend beyond their images" in caplog.text


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"bbox": [BOXES[0]]}, r"choice B \(bottle\) is not marked on any image; marked are: A"),
        ({"bbox": [*BOXES, BOXES[0]]}, r"C is marked, but the choices are only A, B"),
        (
            {"bbox": [BOXES[0], [60.0, 1.0, 70.0, 5.0]]},
            r"box B \[60, 1, 70, 5\] does not lie on it",
        ),
        ({"bbox": [BOXES[0], [5.0, 1.0, 5.0, 5.0]]}, r"box B \[5, 1, 5, 5\] does not lie on its"),
        ({"bbox": [[1.0, 2.0, 3.0], BOXES[1]]}, r"bbox is .*, expected a list of \[left, top, ri"),
        ({"bbox": None}, r"bbox is None, expected a list of"),
        ({"answer": "sink"}, r"answer is 'sink', expected \(A\) to \(B\) for the choices sink, b"),
        ({"answer": "(C)"}, r"answer is '\(C\)', expected"),
        ({"choices": ["sink", "sink"]}, r"choices are sink, sink; expected two or more, all"),
        ({"image": {"bytes": b"", "path": "a.png"}}, r"image: the image has no bytes"),
        ({"image": {"bytes": b"GIF?", "path": ""}}, r"image: not a complete image"),
        ({"task": "Dept"}, r"task is 'Dept'; did you mean 'Depth'\?"),
    ],
)
def test_a_bad_row_is_a_one_sentence_error(cells, words):
    with pytest.raises(UserError, match=f"row 1: {words}") as raised:
        examine([row(1, "(A)") | cells])
    assert "\n" not in str(raised.value)


def test_unsupported_settings_are_refused():
    with pytest.raises(UserError, match=r"marks is false, but CV-Bench's images have box"):
        examine(marks=False)
    with pytest.raises(UserError, match=r"split 'val' of CV-Bench cannot be evaluated"):
        acquire(Path("mine"), "cv_bench", ROOT, ("val",))
    with pytest.raises(UserError, match=r"mine/test_3d.parquet: no row has the task 'Depth'"):
        examine([row(1, "(A)", "Distance")])
    assert layouts_base.member(cv_bench_layout, "test_2d.parquet", ["test"]) is None
    assert layouts_base.member(cv_bench_layout, "test_3d.parquet", ["test"]) == "test_3d.parquet"


def test_a_cap_keeps_that_many_items():
    items, _, _ = examine(most=2)
    assert len(items) == 2
    assert one(items, "item_id", items["item_id"][0])["split"] == "test"


@pytest.mark.parametrize("other", [False, True])
def test_an_id_that_occurs_twice_is_a_one_sentence_error(other):
    twice = row(1438, "(A)")
    if other:  # for another image
        twice["image"] = {"bytes": png(photo(*SIZE, 9)), "path": ""}
        twice["bbox"] = [[1.0, 1.0, 5.0, 5.0], [6.0, 6.0, 9.0, 9.0]]
    words = "image_id 'depth_001438_1' is also" if other else "item_id 'depth_001438' occurs twice"
    with pytest.raises(UserError, match=f"{words}.* expected unique ids"):
        examine([*ROWS, twice])
