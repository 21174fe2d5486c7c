"""HPatches: points and their images become items; homographies and images must be complete."""

import json
import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hpatches_fixture import homography, make_hpatches, write_homography
from mmvp_fixture import acquire
from PIL import Image
from skills_fixture import check_tables, photo, regions_of
from skills_fixture import prepare as prepare_with

from eyechart.core.errors import UserError
from eyechart.data.layouts import base as layouts_base
from eyechart.data.layouts.hpatches import layout as hpatches_layout
from eyechart.data.layouts.hpatches import prepare as hpatches_prepare

ROOT = Path("data/raw/hpatches")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def prepare(out="out", **settings):
    wording = {"low_level_matching": "Which point is REF?"}
    given = {"apart": 0.15, "wording": wording} | settings
    return prepare_with(hpatches_prepare, ROOT, ["test"], out, **given)


def examine(**settings):
    make_hpatches(Path("mine/hpatches-sequences-release"))
    acquire(Path("mine"), "hpatches", ROOT)
    return prepare(**settings)


def spoil(path, text):
    make_hpatches(Path("mine"))
    Path(path).write_text(text)
    acquire(Path("mine"), "hpatches", ROOT)
    with pytest.raises(UserError) as raised:
        prepare()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_the_answer_is_the_image_of_ref_and_no_other_choice_is():
    items, images, regions = examine()
    check_tables(items, images, regions)
    assert len(items) == 10
    for item in items.iter_rows(named=True):
        number = json.loads(item["meta"])["image"]
        matrix = homography(number) if item["type"] == "viewpoint" else np.eye(3)
        found = regions_of(regions, item["item_id"], "alone")
        x, y = (edge - 0.5 for edge in found["REF"][1][:2])
        u, v, w = matrix @ (x, y, 1)
        expected = complex(u / w + 0.5, v / w + 0.5)
        off = {name: abs(complex(*found[name][1][:2]) - expected) for name in "ABCD"}
        assert min(off, key=lambda name: off[name]) == item["answer"]
        assert sorted(off.values())[0] < 1e-3
        assert sorted(off.values())[1] >= 0.15 * 96


def test_what_ref_marks_looks_like_what_the_answer_marks():
    items, _, regions = examine()
    close = []
    for item in items.filter(items["type"] == "viewpoint").iter_rows(named=True):
        found = regions_of(regions, item["item_id"], "alone")
        patches = {name: patch(*place) for name, place in found.items()}
        other = [a for a in "ABCD" if a != item["answer"]]
        near = np.abs(patches["REF"] - patches[item["answer"]]).mean()
        close.append(near < min(np.abs(patches["REF"] - patches[a]).mean() for a in other))
    assert sum(close) >= 4  # out of five


def patch(image_id, place):
    with Image.open(f"out/images/{image_id}.png") as image:
        pixels = np.asarray(image, np.float64)
    x, y = int(place[0]), int(place[1])
    padded = np.pad(pixels, ((3, 3), (3, 3), (0, 0)), mode="edge")
    return padded[y : y + 7, x : x + 7]


def test_sequences_are_groups_and_views_are_told_from_lights():
    items, images, _ = examine()
    told = {row["item_id"]: row for row in items.iter_rows(named=True)}
    assert told["v_wall_1_2"]["group"] == "v_wall"
    assert told["v_wall_1_2"]["type"] == "viewpoint"
    assert told["i_dome_1_6"]["type"] == "illumination"
    views = images.filter(images["type"] == "view")
    assert len(views) == 12
    assert {Path(path).suffix for path in views["path"]} == {".png"}
    with Image.open("out/images/v_wall_1.png") as image:
        assert image.convert("RGB").tobytes() == photo(96, 72, 1).tobytes()


def test_items_depend_on_the_seed_alone_and_a_cap_keeps_some():
    first, *_ = examine()
    again, *_ = prepare("again")
    assert first.drop("images").equals(again.drop("images"))
    some, *_ = prepare("some", most=3)
    assert len(some) == 3
    assert set(some["item_id"]) < set(first["item_id"])


def test_pairs_without_room_for_four_points_are_named_in_the_log(caplog):
    make_hpatches(Path("mine"))
    far = np.array([[1, 0, 500.0], [0, 1, 0], [0, 0, 1]])
    write_homography(Path("mine/v_wall/H_1_3"), far)
    acquire(Path("mine"), "hpatches", ROOT)
    with caplog.at_level(logging.WARNING):
        items, *_ = prepare()
    assert "v_wall_1_3" not in set(items["item_id"])
    assert (
        "omitted because no four points on both images are far enough apart: v_wall/3"
        in caplog.text
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 0 0\n0 1 0\n", "not a homography, expected 3 rows of 3 numbers"),
        ("1 0 0\n0 1 0\n0 0 one\n", "not a homography (could not convert string to float: 'one')"),
        ("1 0\n0 1 0\n0 0 1\n", "not a homography ("),
        ("1 0 0\n0 1 0\n0 0 nan\n", "not a homography, expected 3 rows of 3 numbers"),
        ("1 0 0\n2 0 0\n0 0 1\n", "not a homography, as it maps the image onto a line or a po"),
        ("", "not a homography"),
    ],
)
def test_a_broken_homography_is_a_one_sentence_error(text, words):
    told = spoil("mine/v_wall/H_1_4", text)
    assert told.startswith("data/raw/hpatches/v_wall/H_1_4: ")
    assert words in told


def test_a_missing_or_broken_image_is_reported():
    assert "i_dome/3.ppm: not a complete image" in spoil("mine/i_dome/3.ppm", "P6 and no more")
    Path("mine/i_dome/3.ppm").unlink()
    with pytest.raises(
        UserError, match=r"i_dome/3.ppm: no such file, but its sequence requires it"
    ):
        acquire(Path("mine"), "hpatches", ROOT)
    with pytest.raises(UserError, match=r"elsewhere: no sequence folders"):
        hpatches_layout.inventory(Path("elsewhere"), ["test"])
    with pytest.raises(UserError, match=r"layout 'hpatches' has no splits; give a single name"):
        layouts_base.check_released(hpatches_layout, ["train", "test"])


def test_a_zip_of_the_official_layout_is_taken():
    make_hpatches(Path("mine/hpatches-sequences-release"))
    Path("mine/hpatches-sequences-release/README").write_text("not needed")
    with zipfile.ZipFile("h.zip", "w") as opened:
        for path in sorted(Path("mine").rglob("*")):
            opened.write(path, path.relative_to("mine"))
    acquire(Path("h.zip"), "hpatches", ROOT)
    assert len(prepare()[0]) == 10
    assert not (ROOT / "README").exists()


def test_corners_are_found_where_they_are():
    grey = np.zeros((40, 60))
    grey[10:, 20:] = 200.0  # its only corner
    best = hpatches_prepare.corners(grey, 6)[0]
    assert np.abs(best - (20, 10)).max() <= 2
    strength = hpatches_prepare.strength(grey)
    assert strength[30, 20] < 0.05 * strength.max()  # an edge is not a corner


def test_a_point_that_the_camera_cannot_see_has_no_image():
    matrix = np.array([[1.0, 0, 0], [0, 1, 0], [-0.1, 0, 1]])
    found = hpatches_layout.project(matrix, np.array([[5.0, 1.0], [20.0, 1.0]]))
    assert np.allclose(found[0], (10, 2))
    assert np.isnan(found[1]).all()
