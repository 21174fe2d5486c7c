"""SPair-71k: pairs become items with four keypoints, nothing leaks, bad annotations are named."""

import json
import logging
import tarfile
from pathlib import Path

import pytest
from mmvp_fixture import acquire
from skills_fixture import check_tables, regions_of
from skills_fixture import prepare as prepare_with
from spair_fixture import IMAGES, KEYPOINTS, annotation, make_spair, shifted, write_pair

from eyechart.core.errors import UserError
from eyechart.data.layouts import base as layouts_base
from eyechart.data.layouts.spair import layout as spair_layout
from eyechart.data.layouts.spair import prepare as spair_prepare

ROOT = Path("data/raw/spair")
ASKED = "Which point corresponds to REF?"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def prepare(out="out", **settings):
    wording = {"semantic_correspondence": ASKED}
    given = {"apart": 0.1, "wording": wording} | settings
    return prepare_with(spair_prepare, ROOT, ["test"], out, **given)


def examine(**settings):
    make_spair(Path("mine/SPair-71k"))
    acquire(Path("mine"), "spair", ROOT, ("test",))
    return prepare(**settings)


def changed(**fields):
    """Acquire and prepare one pair with a modified annotation."""
    make_spair(Path("mine"))
    cats = IMAGES["cat"]
    write_pair(Path("mine"), "test", annotation(1, "cat", *cats[:2], list(KEYPOINTS)) | fields)
    acquire(Path("mine"), "spair", ROOT, ("test",))
    with pytest.raises(UserError) as raised:
        prepare()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_ref_and_the_answer_are_the_same_keypoint_on_two_images():
    items, images, regions = examine()
    check_tables(items, images, regions)
    assert items["item_id"].to_list() == ["test_000001", "test_000002", "test_000003"]
    for item in items.iter_rows(named=True):
        found = regions_of(regions, item["item_id"], "alone")
        ids = json.loads(item["meta"])["keypoints"]
        assert ids[0] == ids[1 + "ABCD".index(item["answer"])]
        for name, key in zip(("REF", *"ABCD"), ids, strict=True):
            image, (left, top, right, bottom) = found[name]
            ((x, y),) = shifted(image, [key])
            assert (left, top, right, bottom) == (x + 0.5, y + 0.5, x + 0.5, y + 0.5)
    assert items["choices"][0].to_list() == list("ABCD")
    assert set(items["type"]) == {"cat", "bus"}


def test_pairs_that_share_an_image_are_one_group():
    items, images, _ = examine()
    groups = dict(items.select("item_id", "group").iter_rows())
    assert groups["test_000001"] == groups["test_000002"] != groups["test_000003"]
    assert images["path"][0] == "data/raw/spair/JPEGImages/bus/2009_000007.jpg"


def test_letters_of_the_answers_and_pairs_depend_only_on_the_seed():
    first, *_ = examine()
    second, *_ = prepare(out="again")
    assert first.equals(second)
    capped, *_ = prepare(out="capped", most=1)
    assert len(capped) == 1
    assert set(capped["item_id"]) < set(first["item_id"])


def test_marks_are_far_apart_and_pairs_without_four_such_points_are_counted(caplog):
    with caplog.at_level(logging.INFO):
        items, _, regions = examine(apart=0.3)
    for item in items["item_id"]:
        found = regions_of(regions, item, "alone")
        points = [found[letter][1][:2] for letter in "ABCD"]
        gaps = [abs(complex(*a) - complex(*b)) for a in points for b in points if a != b]
        assert min(gaps) >= 0.3 * 60
    assert f"test: {len(items)} of 4 pairs yield an item; {4 - len(items)} do not" in caplog.text
    assert len(items) < 4


def test_a_keypoint_just_outside_the_image_is_moved_and_a_farther_one_reported(caplog):
    make_spair(Path("mine"))
    cats, ids = IMAGES["cat"], list(KEYPOINTS)
    off = annotation(1, "cat", *cats[:2], ids)
    off["src_kps"][0] = [60, 6]  # the last pixel of an image 60 px wide is 59
    write_pair(Path("mine"), "test", off)
    acquire(Path("mine"), "spair", ROOT, ("test",))
    with caplog.at_level(logging.WARNING):
        prepare()
    assert "1 keypoints were up to a pixel outside and were moved" in caplog.text
    off["src_kps"][0] = [62, 6]
    told = changed(src_kps=off["src_kps"])
    assert "2008_000001.jpg: point 0 at (62.5, 6.5) does not lie on its image" in told


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kps_ids": ["0"]}, "6 src_kps, 6 trg_kps and 1 kps_ids, expected equal numbers"),
        ({"src_kps": [[1]]}, "src_kps 0 is [1], expected [x, y]"),
        ({"trg_kps": "none"}, "trg_kps is 'none', expected a list of [x, y]"),
        (
            {"src_imname": "2008_000009.jpg"},
            "src_imname is '2008_000009.jpg', expected '2008_00000",
        ),
    ],
)
def test_a_bad_annotation_is_a_one_sentence_error(fields, words):
    told = changed(**fields)
    assert told.startswith("data/raw/spair/PairAnnotation/test/000001-")
    assert words in told


def test_a_missing_image_field_or_split_is_reported():
    make_spair(Path("mine"))
    Path("mine/JPEGImages/bus/2009_000008.jpg").unlink()
    with pytest.raises(UserError, match=r"2009_000008.jpg: no such image, but PairAnnotation/te"):
        acquire(Path("mine"), "spair", ROOT, ("test",))
    with pytest.raises(
        UserError, match=r"split 'train' of SPair-71k cannot be evaluated: .*'trn'\?"
    ):
        layouts_base.check_released(spair_layout, ["train"])
    with pytest.raises(UserError, match=r"mine/PairAnnotation/val: no such folder"):
        acquire(Path("mine"), "spair", ROOT, ("val",))
    make_spair(Path("mine"))
    write_pair(Path("mine"), "test", {}, "misnamed")
    with pytest.raises(UserError, match=r"misnamed.json: expected a name like 000001-2008_002719"):
        acquire(Path("mine"), "spair", ROOT, ("test",))


def test_an_image_that_changed_since_is_refused():
    examine()
    path = Path("mine/SPair-71k/JPEGImages/cat/2008_000001.jpg")
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UserError, match=r"2008_000001.jpg: image was altered since it was acqu"):
        prepare()


def test_the_official_tar_is_accepted_despite_colons_in_its_names():
    make_spair(Path("mine/SPair-71k"))
    with tarfile.open("SPair-71k.tar.gz", "w:gz") as opened:
        opened.add("mine/SPair-71k", "SPair-71k")
    acquire(Path("SPair-71k.tar.gz"), "spair", ROOT, ("test",))
    items, images, regions = prepare()
    check_tables(items, images, regions)
    assert len(items) == 3
    assert not (ROOT / "ImageAnnotation").exists()
    assert layouts_base.find("spair").TOPS[0] == "SPair-71k"
