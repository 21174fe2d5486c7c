"""pycocotools reads the rendered COCO with correct masks, boxes and areas, and true captions."""

import contextlib
import io
import json

import numpy as np
import pytest
from caption_truth import is_true
from PIL import Image, JpegImagePlugin
from pycocotools.coco import COCO
from rendering_fixture import draw, shards, tree

from eyechart.core import randomness
from eyechart.rendering.datasets.coco.captions import captions
from eyechart.rendering.scene.clevr import draw_plan
from eyechart.tables.receipt import read_receipt

SPLITS = {"val2017": 9}
# pycocotools' arrays lack an argument that numpy 2 requires
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("coco"), "coco", SPLITS)


def load(root, kind):
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        return COCO(root / f"annotations/{kind}_val2017.json")


def mask_of(root, image):
    with Image.open(root / f"truth/val2017/{image:012d}_mask.png") as picture:
        return np.array(picture)


def test_masks_boxes_and_areas_are_the_renderers_own(root):
    coco = load(root, "instances")
    scenes = {s["image_index"] + 1: s for s in shards(root)[0]["scenes"]}
    assert sorted(coco.getImgIds()) == list(scenes) == list(range(1, 10))
    for image, scene in scenes.items():
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image))
        assert len(annotations) == len(scene["objects"])
        known = mask_of(root, image)
        for i, annotation in enumerate(annotations):
            mask = coco.annToMask(annotation)
            assert np.array_equal(mask, known == i + 1)
            rows, columns = np.nonzero(mask)
            x, y, w, h = annotation["bbox"]
            assert annotation["area"] == mask.sum() >= 12
            assert [x, y] == [columns.min(), rows.min()]
            assert [x + w - 1, y + h - 1] == [columns.max(), rows.max()]
            assert annotation["iscrowd"] == 0
            obj = scene["objects"][i]
            (category,) = coco.loadCats(annotation["category_id"])
            assert category["name"] == f"{obj['color']} {obj['shape']}"
            assert category["supercategory"] == obj["shape"]


def test_pycocotools_finds_images_by_category(root):
    coco = load(root, "instances")
    assert sorted(coco.getCatIds()) == list(range(1, 25))
    red = coco.getCatIds(catNms=["red cube", "red sphere", "red cylinder"])
    wanted = {
        s["image_index"] + 1
        for s in shards(root)[0]["scenes"]
        if any(o["color"] == "red" for o in s["objects"])
    }
    assert {i for c in red for i in coco.getImgIds(catIds=[c])} == wanted


def test_layout_is_the_official_one(root):
    instances = json.loads((root / "annotations/instances_val2017.json").read_text())
    assert list(instances) == ["info", "licenses", "images", "annotations", "categories"]
    told = json.loads((root / "annotations/captions_val2017.json").read_text())
    assert list(told) == ["info", "licenses", "images", "annotations"]
    assert told["images"] == instances["images"]
    for content in (instances, told):
        ids = [a["id"] for a in content["annotations"]]
        assert ids == list(range(1, len(ids) + 1))
    for entry in instances["images"]:
        assert entry["file_name"] == f"{entry['id']:012d}.jpg"
        with Image.open(root / "val2017" / entry["file_name"]) as picture:
            assert picture.size == (entry["width"], entry["height"])
            assert picture.format == "JPEG"
            assert JpegImagePlugin.get_sampling(picture) == 0  # 4:4:4
    receipt = read_receipt(root / "acquired.json")
    assert (receipt["layout"], receipt["source"]) == ("coco", "render")
    assert receipt["splits"] == {"val2017": {"images": 9, "questions": 45}}


def test_every_caption_is_true_of_its_image(root):
    coco = load(root, "captions")
    for scene in shards(root)[0]["scenes"]:
        image, objects = scene["image_index"] + 1, scene["objects"]
        mask = mask_of(root, image)
        columns = [set(np.nonzero(mask == i + 1)[1].tolist()) for i in range(len(objects))]
        told = [a["caption"] for a in coco.loadAnns(coco.getAnnIds(imgIds=image))]
        assert len(set(told)) == 5
        assert [text for text in told if not is_true(text, objects, columns)] == []


def box_scenes(count):
    """Return plans with more objects than in the rendered scenes; their boxes may share columns."""
    look = {"objects": [1, 6], "extent": 3, "gap": 0.05, "light_jitter": 1.0}
    look["camera"] = {"position": [0, -9, 6], "target": [0, 0, 0.3], "fov": 30, "jitter": 0.3}
    for i in range(count):
        scene = draw_plan(randomness.generator("boxes", i), look)
        for obj in scene["objects"]:
            obj["bbox"] = [int(40 + 10 * obj["3d_coords"][0]), 0, 9, 9]
        yield i, scene


def test_captions_of_many_scenes_are_true_and_false_of_others():
    scenes = list(box_scenes(80))
    refuted = 0
    for i, scene in scenes:
        other = scenes[i - 1][1]
        for text in captions(scene, randomness.dice("told", i)):
            for shown in (scene, other):
                objects = shown["objects"]
                columns = [set(range(o["bbox"][0], o["bbox"][0] + 9)) for o in objects]
                if shown is scene:
                    assert is_true(text, objects, columns), (text, objects)
                else:
                    refuted += not is_true(text, objects, columns)
    assert refuted > 0.9 * 5 * len(scenes)


@pytest.mark.parametrize(
    ("caption", "truth"),
    [
        ("a small red metal cube and a large blue rubber sphere", True),
        ("a small red metal cube", False),
        ("A small red cube stands to the left of a large blue sphere.", True),
        ("A small red cube stands to the right of a large blue sphere.", False),
        ("There are two things on a gray floor, blue and red in color.", True),
        ("There are two things on a gray floor, all red.", False),
        ("A picture of two red cubes.", False),
        ("We can see a small metal thing and a large rubber thing, lit from above.", True),
    ],
)
def test_the_caption_check_distinguishes_true_from_false(caption, truth):
    objects = [
        {"size": "small", "color": "red", "material": "metal", "shape": "cube"},
        {"size": "large", "color": "blue", "material": "rubber", "shape": "sphere"},
    ]
    assert is_true(caption, objects, [{1, 2}, {3, 4}]) is truth


def test_bytes_do_not_depend_on_the_number_of_shards(tmp_path, root):
    assert tree(draw(tmp_path, "coco", SPLITS, shards=4)) == tree(root)
