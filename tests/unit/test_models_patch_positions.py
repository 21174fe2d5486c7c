"""The origin of a tile's pixels is measured to half a pixel, for any image processing."""

import numpy as np
import pytest
from PIL import Image

from eyechart.models.patch_positions import (
    Tile,
    finish,
    measure,
    merge,
    on_grid,
    ramp,
    stitch,
    views_of,
)

FILTERS = [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS]
SIZES = [(336, 336), (1000, 400), (40, 97), (6, 9), (1, 1), (2000, 1333)]


def tile(image):
    """Return an image as an encoder gets it, with each channel scaled differently."""
    scale = np.array([[0.3], [0.25], [0.2]])[:, :, None]
    return (np.asarray(image).transpose(2, 0, 1) / 255 - 0.4) / scale


def ends(line, pixels):
    return line[0], line[0] + line[1] * pixels


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("resample", FILTERS)
def test_a_resized_image_fills_its_tile(size, resample):
    (found,) = measure(lambda image: [tile(image.resize((224, 112), resample))], size)
    np.testing.assert_allclose(ends(found.across, 224), (0, size[0]), atol=0.05)
    np.testing.assert_allclose(ends(found.down, 112), (0, size[1]), atol=0.05)


@pytest.mark.parametrize("size", [(336, 336), (1000, 400), (40, 97), (12, 9), (2000, 1333)])
@pytest.mark.parametrize("resample", FILTERS)
def test_tiles_of_a_resized_image_are_adjacent(size, resample):
    def cut(image):
        whole = image.resize((192, 192), resample)
        return [tile(whole.crop((x, y, x + 96, y + 96))) for y in (0, 96) for x in (0, 96)]

    for n, found in enumerate(measure(cut, size)):
        left, right = ends(found.across, 96)
        top, bottom = ends(found.down, 96)
        expected = np.array([n % 2, n % 2 + 1, n // 2, n // 2 + 1]) / 2
        apart = [left, right, top, bottom] - expected * np.repeat(size, 2)
        assert np.abs(apart).max() < 0.5


@pytest.mark.parametrize("fill", [(0, 0, 0), (255, 255, 255), (124, 116, 104)])
@pytest.mark.parametrize("late", [False, True])
def test_padding_is_distinguished_from_the_image(fill, late):
    def pad(image):
        if late:  # resized first, so the border is sharp
            small = image.resize((96, 48))
            square = Image.new("RGB", (96, 96), fill)
            square.paste(small, (0, 24))
            return [tile(square)]
        square = Image.new("RGB", (300, 300), fill)
        square.paste(image, (0, 75))
        return [tile(square.resize((96, 96), Image.Resampling.BICUBIC))]

    (found,) = measure(pad, (300, 150))
    np.testing.assert_allclose(ends(found.across, 96), (0, 300), atol=0.5)
    np.testing.assert_allclose(ends(found.down, 96), (-75, 225), atol=0.5)
    places = finish(found.patches(8, 0))
    seen = ~np.isnan(places[:, 3]).reshape(12, 12)
    assert seen[3:9].all()
    assert not seen[[0, 1, -2, -1]].any()


def test_a_crop_and_a_mirrored_order_of_tiles_are_found():
    def crop(image):
        return [tile(image.resize((90, 60)).crop((70, 10, 90, 40)))] * 2

    for found in measure(crop, (900, 600)):
        np.testing.assert_allclose(ends(found.across, 20), (700, 900), atol=0.5)
        np.testing.assert_allclose(ends(found.down, 30), (100, 400), atol=0.5)


def test_a_tile_of_padding_has_no_position():
    def two(image):
        return [tile(image), np.zeros((3, *image.size[::-1]))]

    first, second = measure(two, (40, 40))
    assert np.isfinite(first.across).all()
    assert np.isnan(finish(second.patches(10, 1))[:, 3:]).all()


def test_noise_in_the_ramp_compensates_for_few_levels():
    shown = np.asarray(ramp((4000, 100))).astype(float)
    across = (np.arange(4000) + 0.5) / 4000 * 255
    assert np.abs(shown[:, :, 0].mean(axis=0) - across).max() < 0.05
    assert np.abs(shown[:, :, 2]).max() == 0


def test_patches_are_united_joined_and_looked_up():
    tiles = [Tile((10.0 * n, 2.0), (0.0, 2.0), np.ones((7, 5), bool)) for n in range(2)]
    patches = np.concatenate([t.patches(1, n) for n, t in enumerate(tiles)])
    views = views_of(patches)
    assert [v.shape for v in views] == [(7, 5, 5)] * 2
    whole = stitch(views, 2)
    assert whole.shape == (7, 10, 5)
    pooled = merge(whole, 2)
    assert pooled.shape == (4, 5, 5)
    np.testing.assert_array_equal(pooled[0, 2, :4], [8, 0, 12, 4])
    np.testing.assert_array_equal(pooled[3, 4, :4], [16, 12, 20, 14])  # last blocks are cut off
    found = finish(on_grid(np.array([[0, 3, 4], [0, -1, -1]]), [pooled]))
    np.testing.assert_array_equal(found[0], [0, 3, 4, 16, 12, 20, 14])
    assert np.isnan(found[1, 3:]).all()
