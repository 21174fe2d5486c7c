"""Any image file becomes the 8-bit RGB that a viewer would show, or one error sentence."""

import numpy as np
import pytest
from PIL import Image

from eyechart.core.errors import UserError
from eyechart.data.open_image import check_images, open_image

RAMP = np.linspace(0, 255, 12, dtype=np.uint8).reshape(3, 4)


def saved(folder, image, name="a.png", **how):
    image.save(folder / name, **how)
    return folder / name


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    deep = Image.fromarray(RAMP.astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    found = np.asarray(open_image(saved(tmp_path, deep)))
    assert np.array_equal(found, np.repeat(RAMP[:, :, None], 3, axis=2))


def test_printing_colours_become_screen_colours(tmp_path):
    ink = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    found = open_image(saved(tmp_path, ink, "a.jpg", quality=100))
    assert found.mode == "RGB"
    assert np.abs(np.asarray(found).astype(int) - [255, 0, 0]).max() < 8


def test_an_image_is_turned_as_its_camera_says(tmp_path):
    wide = Image.fromarray(np.repeat(RAMP[:, :, None], 3, axis=2))
    exif = Image.Exif()
    exif[0x0112] = 6  # the top is at the right
    found = open_image(saved(tmp_path, wide, exif=exif))
    assert found.size == (3, 4)
    assert np.array_equal(np.asarray(found), np.rot90(np.asarray(wide), -1))


def test_an_animation_is_its_first_frame(tmp_path):
    first, second = (Image.new("RGB", (4, 4), c) for c in ((255, 0, 0), (0, 0, 255)))
    path = saved(tmp_path, first, "a.gif", save_all=True, append_images=[second])
    assert open_image(path).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "L"])
def test_other_modes_become_rgb(tmp_path, mode):
    found = open_image(saved(tmp_path, Image.new("RGB", (1, 1), (255, 255, 255)).convert(mode)))
    assert (found.mode, found.size, found.getpixel((0, 0))) == ("RGB", (1, 1), (255,) * 3)


def huge(folder, side):
    """Return an image of many pixels in few bytes."""
    return saved(folder, Image.new("1", (side, side)))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_001, 20_000])
def test_an_image_of_too_many_pixels_is_one_sentence_at_either_door(tmp_path, side):
    path = huge(tmp_path, side)
    with pytest.raises(UserError, match=r"a\.png: .*100000000"):
        open_image(path)
    with pytest.raises(UserError, match=r"a\.png: .*100000000"):
        check_images(tmp_path, ["a.png"], {})


def test_a_cut_off_image_is_one_sentence(tmp_path):
    path = saved(tmp_path, Image.fromarray(np.repeat(RAMP[:, :, None], 3, axis=2)), "a.jpg")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"a\.jpg: not a complete image"):
        open_image(path)
