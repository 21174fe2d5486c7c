"""COCO's faults, each with one error sentence; its layout from folders and zips; its wording."""

import doctest
import json
import shutil
import zipfile
from pathlib import Path

import pytest
from clevr_fixture import make_clevr
from coco_fixture import ROOT, SETTINGS, acquire, make_coco, prepare, read, write
from PIL import Image

from eyechart.core.errors import UserError
from eyechart.data.layouts import base as layouts_base
from eyechart.data.layouts.coco import layout as coco_layout
from eyechart.data.layouts.coco import tasks as coco_tasks
from eyechart.data.sources.archive import unpack
from eyechart.tables.receipt import read_receipt

OBJECTS, CAPTIONS = "instances_val2017", "captions_val2017"


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_coco(Path("mine"), 12, seed=4)


def sentence(call, *arguments, **changes):
    with pytest.raises(UserError) as raised:
        call(*arguments, **changes)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def edit(source, name, change):
    value = read(source, name)
    change(value)
    write(source, name, **value)


# Missing images


def test_missing_images_are_counted_listed_and_omitted_if_allowed(source, caplog):
    lost = [f"{n:012d}.jpg" for n in (3, 10, 17, 24, 31, 38)]
    for name in lost:
        (source / "val2017" / name).unlink()
    named = [row["image_id"] for n in (OBJECTS, CAPTIONS) for row in read(source, n)["annotations"]]
    annotations = sum(f"{n:012d}.jpg" in lost for n in named)
    acquire(source)
    told = sentence(prepare)
    for part in (
        "instances_val2017.json: 6 of the images named here or in the captions are missing",
        f"with {annotations} annotations, first val2017/{lost[0]}, ",
        "or set allow_missing: true",
    ):
        assert part in told
    assert lost[5] not in told and lost[5] in caplog.text
    assert not Path("out").exists()
    items, images = prepare(allow_missing=True)
    assert images.height == 6
    assert set(items["group"]) == set(images["image_id"])


def test_annotations_of_unlisted_images_count_as_missing_images(source):
    edit(source, OBJECTS, lambda v: v["annotations"][0].update(image_id=999))
    edit(source, CAPTIONS, lambda v: v["annotations"][0].update(image_id=999))
    acquire(source)
    told = sentence(prepare)
    assert "1 of the images named here or in the captions are missing" in told
    assert "with 2 annotations, first image_id 999" in told
    assert prepare(allow_missing=True)[1].height == 12


def test_images_without_annotations_are_ignored(source):
    shutil.copy(source / "val2017/000000000003.jpg", source / "val2017/more.jpg")
    (source / "val2017/notes.txt").write_text("mine")
    acquire(source)
    assert prepare()[1].height == 12
    assert not list(ROOT.rglob("more.jpg"))


def test_a_folder_without_any_of_the_images_is_refused_at_once(source):
    shutil.rmtree(source / "val2017")
    told = sentence(acquire, source)
    assert "mine/val2017: none of the 12 images that mine/annotations/instances_val" in told
    assert not ROOT.exists()


def test_an_image_removed_later_is_an_error_with_the_remedy(source):
    acquire(source)
    (source / "val2017/000000000010.jpg").unlink()
    assert "000000000010.jpg: image is missing; restore it, or delete" in sentence(prepare)


def test_a_file_that_is_not_an_image_or_has_another_size_is_reported(source):
    path = source / "val2017/000000000010.jpg"
    Image.new("RGB", (32, 48)).save(path)
    acquire(source)
    assert "is 32 x 48 px, but its annotations are for 48 x 32 px" in sentence(prepare)
    path.write_text("not a picture")
    acquire(source)
    assert "000000000010.jpg: not a complete image" in sentence(prepare)


# Annotations


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (OBJECTS, lambda v: v.pop("images"), ["field 'images' is missing", "There are: annot"]),
        (OBJECTS, lambda v: v.pop("categories"), ["field 'categories' is missing"]),
        (CAPTIONS, lambda v: v.pop("annotations"), ["field 'annotations' is missing"]),
        (OBJECTS, lambda v: v.update(annotations=3), ["annotations is '3', expected a list"]),
        (
            OBJECTS,
            lambda v: v["annotations"][4].update(bboxx=v["annotations"][4].pop("bbox")),
            ["annotations[4]: field 'bbox' is missing; did you mean 'bboxx'?"],
        ),
        (OBJECTS, lambda v: v["annotations"][4].update(bbox=[1, 2]), ["[4]: bbox is [1, 2]"]),
        (OBJECTS, lambda v: v["annotations"][4].update(area="x"), ["[4]: area is 'x' and iscrowd"]),
        (OBJECTS, lambda v: v["annotations"][4].update(iscrowd=2), ["iscrowd 2, expected"]),
        (
            OBJECTS,
            lambda v: v["annotations"][4].update(category_id=5),
            ["annotations[4]: category_id is 5, which is not a category"],
        ),
        (
            OBJECTS,
            lambda v: v["annotations"][4].update(id=v["annotations"][2]["id"]),
            ["annotations[4]: id", "occurs twice"],
        ),
        (OBJECTS, lambda v: v["annotations"][4].update(id="4"), ["[4]: id is '4', expected"]),
        (OBJECTS, lambda v: v["images"][4].update(id=3), ["images[4]: id 3 occurs twice"]),
        (
            OBJECTS,
            lambda v: v["images"][4].update(file_name="000000000003.jpg"),
            ["images[4]: file_name '000000000003.jpg' occurs twice"],
        ),
        (CAPTIONS, lambda v: v["annotations"][1].pop("caption"), ["'caption' is missing"]),
        (CAPTIONS, lambda v: v["annotations"][1].update(caption=5), ["caption is 5, expected"]),
        (CAPTIONS, lambda v: v["annotations"].append(7), ["[24]: is '7', expected an object"]),
        (
            OBJECTS,
            lambda v: v["categories"][1].update(name="Person"),
            ["category 'Person' makes the task 'has_person'", "also the task of 'person'"],
        ),
    ],
)
def test_a_fault_in_the_annotations_is_reported(source, name, change, words):
    acquire(source)
    edit(source, name, change)
    told = sentence(prepare)
    for part in [f"{name}.json", *words]:
        assert part in told
    assert not Path("out").exists()


@pytest.mark.parametrize("name", [OBJECTS, CAPTIONS])
def test_a_broken_or_missing_file_is_reported_during_acquisition(source, name):
    path = source / f"annotations/{name}.json"
    path.write_bytes(path.read_bytes()[:300])
    assert f"mine/annotations/{name}.json: not valid JSON" in sentence(acquire, source)
    path.unlink()
    if name == OBJECTS:  # captions may be missing, see above
        told = sentence(acquire, source)
        assert f"{name}.json: no such file, so split 'val2017' cannot be evaluated" in told
        assert not ROOT.exists()


def test_a_file_name_that_leads_out_of_the_folder_is_refused(source):
    edit(source, OBJECTS, lambda v: v["images"][1].update(file_name="../secret.jpg"))
    told = sentence(acquire, source)
    assert "image 1: file_name is '../secret.jpg', expected a path below the image folder" in told


# Layout


def test_zips_of_images_and_of_annotations_make_one_dataset(source):
    with zipfile.ZipFile("val2017.zip", "w") as pictures:
        pictures.writestr("val2017/", "")
        for path in (source / "val2017").iterdir():
            pictures.write(path, f"val2017/{path.name}")
    with zipfile.ZipFile("annotations_trainval2017.zip", "w") as told:
        for split in ("val2017", "train2017"):
            for kind in ("instances", "captions", "person_keypoints"):
                told.write(source / f"annotations/{OBJECTS}.json",
                           f"annotations/{kind}_{split}.json")  # fmt: skip
    for archive in ("val2017.zip", "annotations_trainval2017.zip"):
        unpack(
            Path(archive), ROOT, lambda name: layouts_base.member(coco_layout, name, ["val2017"])
        )
    there = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.*")}
    assert len(there) == 14
    assert {name for name in there if name.endswith(".json")} == {
        f"annotations/{OBJECTS}.json",
        f"annotations/{CAPTIONS}.json",
    }


def test_the_receipt_counts_images_and_captions(source):
    acquire(source)
    receipt = read_receipt(ROOT / "acquired.json")
    assert receipt["splits"] == {"val2017": {"images": 12, "questions": 24}}
    assert len(receipt["files"]) == 14


def test_a_split_without_annotations_is_refused_before_the_download():
    told = sentence(layouts_base.check_released, coco_layout, ["test2017"])
    assert "split 'test2017' of COCO 2017 cannot be evaluated: only train2017 and val2017" in told


def test_a_receipt_of_another_layout_or_split_is_refused(source):
    acquire(source)
    assert "split 'val2014' was not acquired; did you mean 'val2017'?" in sentence(
        prepare, splits=["val2014"]
    )
    shutil.rmtree(ROOT)
    make_clevr(ROOT, {"val": 1}, seed=1)
    (ROOT / "acquired.json").write_text(
        json.dumps({"dataset": "coco", "layout": "clevr", "source": "local", "files": [],
                    "splits": {"val": {"images": 1, "questions": 6}}})
    )  # fmt: skip
    assert "layout is 'clevr', expected 'coco'" in sentence(prepare, splits=["val"])


@pytest.mark.parametrize("name", layouts_base.names())
def test_every_layout_provides_the_required_interface(name):
    found = layouts_base.find(name)
    assert name == found.NAME
    assert isinstance(found.TOPS, tuple)
    assert layouts_base.member(found, "../../etc/passwd", ["val", "val2017"]) is None
    for split in found.RELEASED or ():
        layouts_base.check_released(found, [split])


def test_a_users_folder_has_the_released_splits_unless_its_layout_is_open(tmp_path):
    for name in layouts_base.names():
        found = layouts_base.find(name)
        if found.RELEASED and not getattr(found, "OPEN", False):
            told = sentence(layouts_base.inventory, found, tmp_path, ["mine"])
            assert f"split 'mine' of {found.TITLE} cannot be evaluated" in told
        elif found.RELEASED:
            assert "no such file" in sentence(layouts_base.inventory, found, tmp_path, ["mine"])


# Wording


def test_words_of_categories_are_english():
    assert doctest.testmod(coco_tasks).failed == 0
    plurals = {"bus": "buses", "bench": "benches", "couch": "couches", "mouse": "mice",
               "teddy bear": "teddy bears", "knife": "knives", "toothbrush": "toothbrushes",
               "berry": "berries", "toy": "toys"}  # fmt: skip
    assert {name: coco_tasks.plural(name) for name in plurals} == plurals


@pytest.mark.parametrize(
    ("task", "text", "words"),
    [
        ("presence", "Is there one?", "{a_category} or {category} or {plural} in it"),
        ("position", "Is there a {category}?", "expected the field {side} in it"),
        ("position", "{category} {sied}", "unknown field 'sied'; did you mean 'side'?"),
        ("counting", "How many {plural}{?", "with a lone brace"),
        ("caption", "Describe the {category}.", "unknown field 'category'"),
        ("caption", None, "the key 'caption' is missing"),
    ],
)
def test_a_wording_without_its_field_is_reported(source, task, text, words):
    acquire(source)
    wording = {**SETTINGS["wording"], task: text}
    told = sentence(prepare, wording={k: v for k, v in wording.items() if v is not None})
    assert told.startswith("datasets.coco.wording") and words in told
