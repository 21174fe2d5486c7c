"""BLINK: rows become items, marks are never guessed, bad rows raise a one-sentence error."""

import json
import logging
import re
from pathlib import Path

import pytest
from blink_fixture import ASKED, POINTS, make_blink, points_of, row, write_points, write_rows
from mmvp_fixture import acquire
from PIL import Image
from skills_fixture import check_tables, one, regions_of
from skills_fixture import prepare as prepare_with

from eyechart.core.errors import UserError
from eyechart.data.layouts import base as layouts_base
from eyechart.data.layouts.blink import layout as blink_layout
from eyechart.data.layouts.blink import prepare as blink_prepare

ROOT = Path("data/raw/blink")
SEMANTIC = "Semantic_Correspondence"
SKILLS = ["semantic_correspondence", "functional_correspondence", "low_level_matching", "art_style"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def prepare(skills=SKILLS, out="out", **settings):
    wording = dict.fromkeys(SKILLS, "official") | settings.pop("wording", {})
    return prepare_with(
        blink_prepare, ROOT, ["val"], out, skills=list(skills), wording=wording, **settings
    )


def examine(points=True, **settings):
    make_blink(Path("mine/BLINK"), points)
    acquire(Path("mine"), "blink", ROOT, ("val",))
    return prepare(**settings)


def spoil(**cells):
    write_rows(Path("mine"), SEMANTIC, [row(SEMANTIC, 1, "(A)") | cells])
    acquire(Path("mine"), "blink", ROOT, ("val",))
    with pytest.raises(UserError) as raised:
        prepare(SKILLS[:1])
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_rows_become_items_of_four_skills():
    items, images, regions = examine()
    check_tables(items, images, regions)
    assert sorted(items["task"]) == sorted(SKILLS * 2)
    first = one(items, "item_id", f"val_{SEMANTIC}_1")
    assert first["prompt"] == f"Two pictures.\n{ASKED}"
    assert first["choices"] == ["Point A", "Point B", "Point C", "Point D"]
    assert first["answer"] == "Point A"
    assert first["images"] == [f"val_{SEMANTIC}_1_canvas"]
    assert json.loads(first["meta"])["letters"]["B"] == "Point B"
    style = one(items, "item_id", "val_Art_Style_2")
    assert style["answer"] == "the third image"


def test_points_are_on_the_views_listed_in_the_table():
    _, images, regions = examine()
    found = regions_of(regions, f"val_{SEMANTIC}_1", "alone")
    assert {name: place[:2] for name, (_, place) in found.items()} == POINTS
    assert found["REF"][0] == f"val_{SEMANTIC}_1_1"
    assert {found[letter][0] for letter in "ABCD"} == {f"val_{SEMANTIC}_1_2"}
    assert set(images["type"]) == {"view", "canvas"}


def test_views_keep_their_original_bytes():
    _, images, _ = examine()
    path = one(images, "image_id", f"val_{SEMANTIC}_1_1")["path"]
    assert Path(path).read_bytes() == row(SEMANTIC, 1, "(A)")["image_1"]["bytes"]


def test_drawn_marks_are_not_drawn_again():
    examine(square=False, canvas_px=None, gap=0.0, skills=SKILLS[:1])
    view = Image.open(f"out/images/val_{SEMANTIC}_1_1.jpg").convert("RGB")
    canvas = Image.open(f"out/images/val_{SEMANTIC}_1_canvas.png")
    assert canvas.crop((0, 0, *view.size)).tobytes() == view.tobytes()


def test_without_points_items_have_no_regions_and_the_log_says_so(caplog):
    with caplog.at_level(logging.WARNING):
        items, images, regions = examine(points=False)
    check_tables(items, images, regions)
    assert (
        "semantic_correspondence: the positions of the marks of 2 items are unknown" in caplog.text
    )
    assert set(regions["item_id"]) == {"val_Art_Style_1", "val_Art_Style_2"}
    metas = [json.loads(meta) for meta in items["meta"]]
    told = dict(zip(items["item_id"], metas, strict=True))
    assert not told[f"val_{SEMANTIC}_1"]["regions"]
    assert told["val_Art_Style_1"]["regions"]


def test_several_images_may_be_shown_instead_of_one_canvas():
    items, images, regions = examine(canvas=False)
    check_tables(items, images, regions)
    style = one(items, "item_id", "val_Art_Style_1")
    assert style["images"] == [f"val_Art_Style_1_canvas_{n}" for n in (1, 2, 3)]
    found = regions_of(regions, "val_Art_Style_1", "canvas")
    assert [found[name][0] for name in ("REF", "A", "B")] == style["images"]


def test_a_smaller_sample_is_part_of_a_larger_one_and_leaves_no_old_images():
    make_blink(Path("mine"))
    rows = [row(SEMANTIC, number, "(C)") for number in range(1, 7)]
    write_rows(Path("mine"), SEMANTIC, rows)
    write_points(Path("mine"), points_of(*(r["idx"] for r in rows)))
    acquire(Path("mine"), "blink", ROOT, ("val",))
    more, _, _ = prepare(SKILLS[:1], most=4)
    less, images, _ = prepare(SKILLS[:1], most=2)
    assert (len(more), len(less)) == (4, 2)
    assert set(less["item_id"]) < set(more["item_id"])
    there = {path.as_posix() for path in Path("out/images").iterdir()}
    assert there == set(images["path"])


def test_items_that_share_an_image_are_one_group():
    make_blink(Path("mine"))
    first, second, third = (row(SEMANTIC, n, "(A)") for n in (1, 2, 3))
    third["image_2"] = first["image_1"]
    write_rows(Path("mine"), SEMANTIC, [first, second, third])
    acquire(Path("mine"), "blink", ROOT, ("val",))
    items, _, _ = prepare(SKILLS[:1])
    groups = dict(items.select("item_id", "group").iter_rows())
    assert groups[first["idx"]] == groups[third["idx"]] != groups[second["idx"]]


def test_a_custom_wording_replaces_the_official_question():
    items, _, _ = examine(skills=SKILLS[:1], wording={SKILLS[0]: "Which point is REF?"})
    assert set(items["prompt"]) == {"Which point is REF?"}


def test_hidden_answers_are_refused():
    with pytest.raises(UserError, match=r"split 'test' of BLINK cannot be evaluated: only val"):
        acquire(make_blink(Path("mine")), "blink", ROOT, ("test",))
    assert "answer is 'hidden', expected (A) to (D)" in spoil(answer="hidden")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"answer": "(E)"}, r"answer is '\(E\)', expected \(A\) to \(D\) for the choices Point A"),
        ({"sub_task": "Counting"}, r"sub_task is 'Counting', expected 'Semantic_Correspondence'"),
        ({"image_2": None}, r"row 1: image_2: the image has no bytes"),
        ({"image_1": {"bytes": b"no image", "path": ""}}, r"row 1: image_1: not a complete image"),
        ({"idx": "../evil"}, r"idx is '../evil', expected letters"),
        ({"choices": ["Point A"] * 2}, r"choices are Point A, Point A; expected two or more"),
        ({"choices": ["A", "B"]}, r"C is marked, but the choices are only A, B \(A, B\)"),
        ({"choices": list("ABCDE")}, r"choice E \(E\) is not marked on any image; marked are"),
    ],
)  # fmt: skip
def test_a_bad_row_is_a_one_sentence_error(cells, words):
    make_blink(Path("mine"))
    text = spoil(**cells)
    assert "val-00000-of-00001.parquet: row 1" in text
    assert re.search(words, text)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (points_of("val_x_1")[:4], r"'val_x_1' lacks D; give all five or none"),
        ([("val_x_1", "E", 1, 1)], r"line 2: name is 'E'; "),
        ([("val_x_1", "A", "left", 1)], r"line 2: x is 'left', expected a number of pixels"),
        (
            [("val_x_1", "A", 1, 1), ("val_x_1", "A", 1, 1)],
            r"line 3: A of 'val_x_1' already has a row",
        ),
    ],
)
def test_bad_points_are_reported(rows, words):
    write_points(make_blink(Path("mine")), rows)
    with pytest.raises(UserError, match=f"^mine/Points.csv: {words}"):
        acquire(Path("mine"), "blink", ROOT, ("val",))


def test_a_point_outside_its_image_is_reported():
    make_blink(Path("mine"))
    rows = points_of(f"val_{SEMANTIC}_1")
    rows[2] = (rows[2][0], "B", 50, 8)  # the image is 50 px wide, so x ends before 50
    write_points(Path("mine"), rows)
    acquire(Path("mine"), "blink", ROOT, ("val",))
    with pytest.raises(UserError, match=r"row 1: point B at \(50, 8\) does not lie on .*: image_2"):
        prepare(SKILLS[:1])


def test_impossible_settings_are_refused():
    examine()
    with pytest.raises(
        UserError, match=r"datasets.blink.skills: 'depth_order'; .*There are: art_s"
    ):
        prepare(["depth_order"], wording={"depth_order": "official"})
    with pytest.raises(UserError, match=r"datasets.blink.marks is false, but BLINK's images"):
        prepare(marks=False)
    with pytest.raises(UserError, match=r"wording.art_style: unknown field 'a'"):
        prepare(wording={"art_style": "Is it {a}?"})
    with pytest.raises(UserError, match=r"background is 'whitish', expected a colour"):
        prepare(background="whitish")
    prepare(["art_style"], marks=False)  # the images of these have no marks


def test_a_dataset_without_any_required_file_is_reported():
    write_rows(Path("mine"), "Jigsaw", [row("Jigsaw", 1, "(A)")])
    with pytest.raises(UserError, match=r"^mine: none of Semantic_Correspondence/val-00000"):
        acquire(Path("mine"), "blink", ROOT, ("val",))


def test_only_four_sub_tasks_of_the_repository_are_required():
    wanted = [f"{SEMANTIC}/val-00000-of-00001.parquet", "Points.csv"]
    others = [f"{SEMANTIC}/test-00000-of-00001.parquet", "Jigsaw/val-00000-of-00001.parquet"]
    assert [layouts_base.member(blink_layout, name, ["val"]) for name in [*wanted, *others]] == [
        *(*wanted, None, None)
    ]
