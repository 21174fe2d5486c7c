"""Any image file becomes the 8-bit RGB that a viewer would show, or one error sentence."""

import ast
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eyechart.core.errors import UserError
from eyechart.data import open_image as open_image_module
from eyechart.data.open_image import MOST_PIXELS, check_images, decode, open_image

RAMP = np.linspace(0, 255, 12, dtype=np.uint8).reshape(3, 4)
RGB = Image.fromarray(np.repeat(RAMP[:, :, None], 3, axis=2))


def saved(folder, image, name="a.png", **how):
    image.save(folder / name, **how)
    return folder / name


def pixels(path):
    return np.asarray(open_image(path)).tolist()


def grey(values):
    return np.repeat(np.asarray(values)[:, :, None], 3, axis=2).tolist()


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, name):
    deep = Image.fromarray(RAMP.astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    assert pixels(saved(tmp_path, deep, name)) == grey(RAMP)


def test_fractions_are_scaled(tmp_path):
    shares = Image.fromarray(RAMP.astype(np.float32) / 255)
    assert pixels(saved(tmp_path, shares, "a.tif")) == grey(RAMP)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.array([[0, 12.5]], np.float32), "0 to 12.5, expected 0 to 1"),
        (np.array([[0, np.nan]], np.float32), "nan to nan, expected 0 to 1"),
        (np.array([[-1, 5]], np.int32), "-1 to 5, expected 0 to 65535"),
        (np.array([[0, 70000]], np.int32), "0 to 70000, expected 0 to 65535"),
    ],
)
def test_numbers_that_are_not_brightness_are_a_one_sentence_error(tmp_path, values, found):
    path = saved(tmp_path, Image.fromarray(values), "a.tif")
    with pytest.raises(UserError, match=rf"a\.tif: .*its values are {found}"):
        open_image(path)


def test_cmyk_becomes_rgb(tmp_path):
    ink = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    found = open_image(saved(tmp_path, ink, "a.jpg", quality=100))
    assert found.mode == "RGB"
    assert np.abs(np.asarray(found).astype(int) - [255, 0, 0]).max() < 8


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
@pytest.mark.parametrize("turns", [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_an_image_and_its_size_follow_the_exif_orientation(tmp_path, ending, turns):
    orientation, quarter = turns
    exif = Image.Exif()
    exif[0x0112] = orientation
    how = {"lossless": True} if ending == "webp" else {}
    path = saved(tmp_path, RGB, f"a.{ending}", exif=exif, **how)
    expected = np.rot90(np.asarray(RGB), quarter)
    assert pixels(path) == expected.tolist()
    record = check_images(tmp_path, [path.name], {})[path.name]
    assert (record.height, record.width) == expected.shape[:2]
    assert record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", ["gif", "webp", "tif", "png"])
def test_the_first_frame_of_an_animation_is_used(tmp_path, kind):
    first, second = (Image.new("RGB", (4, 4), c) for c in ((255, 0, 0), (0, 0, 255)))
    path = saved(tmp_path, first, f"a.{kind}", save_all=True, append_images=[second])
    assert np.abs(np.array(open_image(path).getpixel((0, 0))) - (255, 0, 0)).max() < 3


def test_the_first_image_of_a_phones_jpeg_is_used(tmp_path):
    first, second = Image.new("RGB", (16, 8), (200, 0, 0)), Image.new("RGB", (4, 4), (0, 0, 200))
    path = saved(tmp_path, first, "a.jpg", format="MPO", save_all=True, append_images=[second])
    image, kind = decode(path)
    assert (kind, image.size) == ("MPO", (16, 8))
    assert np.abs(np.array(image.getpixel((5, 5))) - (200, 0, 0)).max() < 6


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "L"])
def test_other_modes_become_rgb(tmp_path, mode):
    found = open_image(saved(tmp_path, Image.new("RGB", (1, 1), (255, 255, 255)).convert(mode)))
    assert (found.mode, found.size, found.getpixel((0, 0))) == ("RGB", (1, 1), (255,) * 3)


@pytest.mark.parametrize("form", ["RGBA", "LA", "palette", "one colour"])
def test_transparent_pixels_become_white(tmp_path, form):
    clear = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    clear.putpixel((1, 0), (40, 40, 40, 255))
    if form == "LA":
        path = saved(tmp_path, clear.convert("LA"))
    elif form == "palette":
        image = Image.new("P", (2, 1), 0)
        image.putpalette([255, 0, 0, 40, 40, 40])
        image.putpixel((1, 0), 1)
        path = saved(tmp_path, image, transparency=0)
    elif form == "one colour":
        path = saved(tmp_path, clear.convert("RGB"), transparency=(255, 0, 0))
    else:
        path = saved(tmp_path, clear)
    assert pixels(path) == [[[255, 255, 255], [40, 40, 40]]]


@pytest.mark.parametrize("begins", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"hello"])
def test_other_formats_are_refused_whatever_the_file_name(tmp_path, begins):
    path = tmp_path / "a.png"
    path.write_bytes(begins + b"showpage\n")
    for look in (open_image, lambda _: check_images(tmp_path, ["a.png"], {})):
        with pytest.raises(UserError, match=r"a\.png: not .*begins with b'.* of PNG, JPEG") as told:
            look(path)
        assert "0x7" not in str(told.value)  # no memory address of an object


def huge(folder, side):
    """Return an image of many pixels in few bytes."""
    return saved(folder, Image.new("1", (side, side)))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_001, 20_000])
def test_an_image_with_too_many_pixels_is_refused_from_files_and_bytes(tmp_path, side):
    path = huge(tmp_path, side)
    assert side**2 > MOST_PIXELS
    with pytest.raises(UserError, match=r"a\.png: .*100000000"):
        open_image(path)
    with pytest.raises(UserError, match=r"a\.png: .*100000000"):
        check_images(tmp_path, ["a.png"], {})


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "gif", "bmp", "tif", "ppm"])
def test_a_truncated_image_is_a_one_sentence_error_during_preparation(tmp_path, kind):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), f"a.{kind}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for look in (open_image, lambda path: check_images(tmp_path, [path.name], {})):
        with pytest.raises(UserError, match=rf"a\.{kind}: not a complete image"):
            look(path)


def test_every_image_of_the_package_is_opened_in_one_place():
    found = [
        (path.name, node.lineno)
        for path in Path(open_image_module.__file__).parents[1].rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node).endswith("Image.open")
    ]
    assert [name for name, _ in found] == ["open_image.py"], found
