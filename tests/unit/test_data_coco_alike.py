"""Datasets like COCO: no captions, folders in file names, or rotated photographs."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from coco_fixture import acquire, prepare
from PIL import Image
from test_data_coco_faults import CAPTIONS, OBJECTS, edit, sentence, source

from eyechart.data.open_image import open_image

__all__ = ["source"]  # the fixture


def test_without_captions_only_the_caption_task_is_missing(source, caplog):
    acquire(source)
    items, images = prepare()
    assert "caption" in set(items["task"])
    (source / f"annotations/{CAPTIONS}.json").unlink()
    with caplog.at_level("WARNING"):
        acquire(source)
    assert f"{CAPTIONS}.json, so there are no caption questions" in caplog.text
    fewer, same = prepare(out="again")
    assert fewer.equals(items.filter(pl.col("task") != "caption"))
    assert same.drop("path").equals(images.drop("path"))


@pytest.mark.parametrize("top", ["", "val2017/"])
def test_file_names_with_folders_are_relative_to_the_split_or_the_dataset(source, top):
    acquire(source)
    items, images = prepare()
    (source / "val2017/a/b").mkdir(parents=True)
    for path in (source / "val2017").glob("*.jpg"):
        path.rename(path.parent / "a/b" / path.name)
    for name in (OBJECTS, CAPTIONS):
        edit(source, name, lambda v: [i.update(file_name=f"{top}a/b/{i['file_name']}")
                                      for i in v["images"]])  # fmt: skip
    acquire(source)
    again, there = prepare(out="again")
    assert again.equals(items)
    assert there["sha256"].equals(images["sha256"])
    assert all(path.startswith("data/raw/coco/val2017/a/b/0") for path in there["path"])


def test_annotations_refer_to_the_image_as_rotated_by_its_camera(source):
    acquire(source)
    items, images = prepare()
    name = Path(images["path"][0]).name
    upright = open_image(source / "val2017" / name)
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    lying.save(source / "val2017" / name, quality=95, exif=exif)
    acquire(source)
    again, turned = prepare(out="again")
    assert again.equals(items)
    assert turned.select("width", "height").equals(images.select("width", "height"))
    shown = open_image(Path(turned["path"][0]))
    assert np.abs(np.asarray(shown, float) - np.asarray(upright, float)).mean() < 20
    upright.save(source / "val2017" / name, exif=exif)  # annotations refer to the stored pixels
    acquire(source)
    told = sentence(prepare)
    assert "is 32 x 48 px, but its annotations are for 48 x 32 px" in told
    assert "or annotate it as displayed, rotated according to its EXIF data" in told
