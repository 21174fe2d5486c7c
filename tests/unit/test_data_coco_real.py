"""Every item about real photographs equals one computed from the annotations alone.

``EYECHART_COCO`` names a folder in COCO 2017's official layout, or a small extract of it, with
``train2017`` and ``val2017``. The test adds rotated, upside-down and grey copies of photographs.
"""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from coco_fixture import acquire, prepare
from PIL import Image

from eyechart.data.open_image import open_image

FOLDER, SPLITS, FEW = os.environ.get("EYECHART_COCO"), ("train2017", "val2017"), 8
WORDING = {
    "presence": "there|{category}",
    "position": "side|{category}|{side}",
    "counting": "many|{category}",
    "caption": "Describe the picture.",
}
MARGIN, MOST = 0.1, 10
# EXIF orientation, and how to store pixels so that they appear upright
STORED = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def copies(folder, split, listed):
    """Add rotated and grey copies of the first photographs, with the same annotations."""
    for image in listed["images"][:FEW]:
        path, kept = folder / split / image["file_name"], dict(image)
        with Image.open(path) as photo:
            made = {"grey": (photo.convert("L"), None)}
            for orientation, how in STORED.items():
                made[f"turned{orientation}"] = (photo.transpose(how), orientation)
        for number, (name, (photo, orientation)) in enumerate(made.items(), 1):
            exif = Image.Exif()
            if orientation:
                exif[0x0112] = orientation
            file = f"{name}_{image['file_name']}"
            photo.save(folder / split / file, quality=95, exif=exif)
            new = kept["id"] + number * 10_000_000
            listed["images"].append(kept | {"id": new, "file_name": file})
            own = [a for a in listed["annotations"] if a["image_id"] == kept["id"]]
            listed["annotations"] += [
                a | {"id": a["id"] + number * 10**13, "image_id": new} for a in own
            ]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    if not FOLDER:
        pytest.skip("EYECHART_COCO is not set: items about real photographs were NOT checked")
    here, before = tmp_path_factory.mktemp("real"), Path.cwd()
    source = here / "mine"
    (source / "annotations").mkdir(parents=True)
    listed = {}
    for split in SPLITS:
        name = f"annotations/instances_{split}.json"
        shutil.copytree(Path(FOLDER) / split, source / split)
        listed[split] = json.loads((Path(FOLDER) / name).read_text())
        copies(source, split, listed[split])
        (source / name).write_text(json.dumps(listed[split]))
    os.chdir(here)
    try:
        acquire(Path("mine"), SPLITS)
        wanted = {
            "splits": SPLITS,
            "wording": WORDING,
            "most_count": MOST,
            "position_margin": MARGIN,
        }
        items, images = prepare(**wanted, presence=4)
        return here, listed, items, images, pl.read_parquet("out/regions.parquet")
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def known(made):
    """Return the annotated facts by image: its file, and its boxes and crowds by category."""
    _, listed, _, images, _ = made
    found = {image_id: {} for image_id in images["image_id"]}
    for split, own in listed.items():
        names = {c["id"]: c["name"] for c in own["categories"]}
        for thing in own["annotations"]:
            of_image = found[f"{split}_{thing['image_id']:012d}"]
            box = thing["bbox"], thing["iscrowd"]
            of_image.setdefault(names[thing["category_id"]], []).append(box)
    assert len(found) == sum(len(own["images"]) for own in listed.values()) >= 150 + 8 * FEW
    return found


def side_of(box, size, asked):
    """Return True if a box's centre is clearly on a side, False if on the other, otherwise None."""
    left, top, wide, high = box
    x, y = (left + wide / 2) / size[0], (top + high / 2) / size[1]
    distance = {"left": 0.5 - x, "right": x - 0.5, "top": 0.5 - y, "bottom": y - 0.5}[asked]
    return None if abs(distance) <= MARGIN else distance > 0


def test_no_item_about_a_photograph_is_wrong(made, known):
    here, _, items, images, _ = made
    paths = dict(images.select("image_id", "path").iter_rows())
    wrong, counted = [], Counter()
    for item in items.iter_rows(named=True):
        (image,) = item["images"]
        kind, category, *side = item["prompt"].split("|")
        things = known[image].get(category, [])
        if kind == "there":
            expected = "yes" if things else "no"
        elif kind == "many":
            expected = str(len(things)) if not any(crowd for _, crowd in things) else "?"
        else:
            with Image.open(here / paths[image]) as photo:  # as in a viewer, with Pillow only
                size = photo.size if photo.getexif().get(0x0112) not in (6, 8) else photo.size[::-1]
            alone = len(things) == 1 and not things[0][1]
            there = side_of(things[0][0], size, side[0]) if alone else None
            expected = {True: "yes", False: "no", None: "?"}[there]
        stored = "turned" if "turned" in paths[image] else "grey" if "grey" in paths[image] else ""
        counted[kind, stored] += 1
        if item["answer"] != expected:
            wrong.append((item["item_id"], item["answer"], expected))
    assert wrong == []
    assert all(counted[kind, stored] > 10 for kind in ("there", "many", "side")
               for stored in ("", "turned", "grey")), counted  # fmt: skip
    print(f"{sum(counted.values())} items checked, 0 wrong: {dict(counted)}")


def test_boxes_match_the_displayed_image(made, known):
    """A rotated copy shows its photograph's pixels and has the same regions."""
    here, _, items, images, regions = made
    rows = {row["image_id"]: row for row in images.iter_rows(named=True)}
    of = dict(items.select("item_id", pl.col("images").list.first()).iter_rows())
    checked = 0
    for name, row in rows.items():
        shown = open_image(here / row["path"])
        assert shown.size == (row["width"], row["height"])
        split, number = name.split("_")
        if int(number) > 10_000_000:
            whole = open_image(here / rows[f"{split}_{int(number) % 10_000_000:012d}"]["path"])
            one, two = (np.asarray(i.convert("L"), float) for i in (shown, whole))
            assert np.abs(one - two).mean() < 4
            checked += 1
    assert checked == 8 * FEW
    for region in regions.filter(pl.col("name") == "REF").iter_rows(named=True):
        image = of[region["item_id"]]
        boxes = [box for things in known[image].values() for box, _ in things]
        size = (rows[image]["width"], rows[image]["height"])
        edges = [(max(0, x), max(0, y), min(size[0], x + w), min(size[1], y + h))
                 for x, y, w, h in boxes]  # fmt: skip
        own = tuple(region[edge] for edge in ("left", "top", "right", "bottom"))
        assert any(np.allclose(own, edge) for edge in edges), region["item_id"]
