"""All code opens images in the same way: tables, models, conditions and the page agree."""

import base64
import hashlib
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from own_fixture import prepare, take
from PIL import Image

from eyechart.behavior.conditions import Stimulus
from eyechart.data.open_image import open_image
from eyechart.report.images import embed

RNG = np.random.default_rng(3)
PHOTO = Image.fromarray(RNG.integers(0, 256, (4, 6, 3), dtype=np.uint8)).resize((60, 40))
GREY = np.asarray(PHOTO.convert("L"))


def lying():
    exif = Image.Exif()
    exif[0x0112] = 6
    return {"exif": exif}


def clear():
    image = PHOTO.convert("RGBA")
    image.paste((255, 0, 0, 0), (0, 0, 20, 20))
    return image


# name: the image, arguments for saving it, its visible size, and one of its pixels
KINDS = {
    "exif6.jpg": (PHOTO, {"quality": 95, **lying()}, (40, 60), None),
    "sixteen.png": (Image.fromarray(GREY.astype(np.uint16) * 257), {}, (60, 40), (GREY[0, 0],) * 3),
    "clear.png": (clear(), {}, (60, 40), (255, 255, 255)),
    "phone.jpg": (PHOTO, {"format": "MPO", "save_all": True, "append_images": [PHOTO.copy()]},
                  (60, 40), None),
    "print.jpg": (PHOTO.convert("CMYK"), {}, (60, 40), None),
    "pages.tif": (PHOTO, {"save_all": True, "append_images": [PHOTO.resize((9, 9))]},
                  (60, 40), PHOTO.getpixel((0, 0))),
}  # fmt: skip


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for name, (image, how, _, _) in KINDS.items():
        image.save(Path("photos", name), **how)
    rows = [
        {"image": {"bytes": Path("photos", name).read_bytes(), "path": name}, "item_id": name}
        for name in KINDS
    ]
    Path("hf").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), "hf/all-00000-of-00001.parquet")


@pytest.mark.parametrize("source", ["folder", "hf"])
def test_files_and_bytes_of_every_kind_become_the_same_images(files, source):
    path = Path("photos" if source == "folder" else "hf")
    take(path, source)
    items, images = prepare(source, prompt="What is it?", task="what")
    assert items["item_id"].to_list() == sorted(KINDS)
    of_image = {row["image_id"]: row for row in images.iter_rows(named=True)}
    for item in items.iter_rows(named=True):
        row, (_, _, size, pixel) = of_image[item["images"][0]], KINDS[item["item_id"]]
        original = Path("photos", item["item_id"])
        assert (row["width"], row["height"]) == size
        assert row["sha256"] == hashlib.sha256(original.read_bytes()).hexdigest()
        assert Path(row["path"]).suffix == original.suffix
        shown = open_image(Path(row["path"]))
        assert pixel in (None, shown.getpixel((0, 0)))
        assert np.array_equal(np.asarray(shown), np.asarray(open_image(original)))
        drawn = Stimulus(row["image_id"], path=row["path"]).draw()
        assert np.array_equal(np.asarray(shown), np.asarray(drawn))
        address, width, height = embed(Path(row["path"]), 100)
        on_page = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
        assert (width, height) == on_page.size == size
        distance = np.asarray(on_page.convert("RGB"), float) - np.asarray(shown, float)
        assert np.abs(distance).mean() < 3  # exact, unless the page embeds a JPEG


def test_a_rotated_photograph_is_upright_and_sixteen_bits_keep_their_range(files):
    turned = np.asarray(open_image(Path("photos/exif6.jpg")), float)
    assert np.abs(turned - np.rot90(np.asarray(PHOTO, float), -1)).mean() < 12
    deep = np.asarray(open_image(Path("photos/sixteen.png")))
    assert np.array_equal(deep, np.repeat(GREY[:, :, None], 3, axis=2))
