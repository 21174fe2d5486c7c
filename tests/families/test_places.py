"""Every family's image tokens lie where they look: a bright square is found where it was drawn."""

import numpy as np
import pytest
import torch
from PIL import Image
from zoo import FAMILIES

from eyechart.extraction import passes
from eyechart.models.addresses import columns
from eyechart.models.families.base import Adapter

# PaliGemma's processor, not ours
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CASES = sorted(FAMILIES)
READERS = sorted(name for name, case in FAMILIES.items() if case.kind == "vlm")
NOWHERE = {"blip2", "blip2_t5", "instructblip"}  # learned queries
SIZES = [(64, 64), (100, 40), (40, 100), (150, 97), (31, 90)]
POINTS = [(0.2, 0.3), (0.45, 0.8), (0.58, 0.35), (0.71, 0.55), (0.93, 0.12), (0.06, 0.94)]


def flat(size):
    return Image.new("RGB", size, (90, 90, 90))


def with_square(size, places, x, y):
    """Give a flat picture with a bright square of a third of the smallest token, and its half."""
    area = places[holding(places, x, y)]
    half = max(1.0, (area[:, 5:] - area[:, 3:5]).min() / 6)
    pixels = np.array(flat(size))
    (a, b), (c, d) = ((round(v - half), round(v + half)) for v in (x, y))
    pixels[max(c, 0) : max(d, 1), max(a, 0) : max(b, 1)] = 255
    return Image.fromarray(pixels), half


def holding(places, x, y):
    """Say which tokens' areas hold a point."""
    left, top, right, bottom = places[:, 3:].T
    return (left <= x) & (x < right) & (top <= y) & (y < bottom)


def near(place, x, y, reach):
    """Say whether a point is in a token's area, or no farther from it than that."""
    apart = np.maximum(place[3:5] - [x, y], [x, y] - place[5:])
    return bool((apart <= reach).all())


def look(adapter, card, image, address):
    """Give what an address has of a picture: (tokens, d)."""
    (column,) = columns(card, [address], ["image_tokens"], "image")
    _, found = passes.look(adapter, [adapter.picture(image)], [column], go_on=False)
    return found[column.name][0].numpy()


def features(adapter, image):
    """Give what the language model is given of a picture: (tokens, d)."""
    with torch.inference_mode():
        (seen,) = adapter.look([adapter.picture(image)])
    return seen.features.float().numpy()


def check(size, places, see):
    """Draw squares; in each view that holds one, the token that changes most must lie there."""
    before, found = see(flat(size)), 0
    assert len(before) == len(places)
    for x, y in np.array(POINTS) * size:
        if not holding(places, x, y).any():
            continue  # a centre crop leaves it out
        image, half = with_square(size, places, x, y)
        change = np.linalg.norm(see(image) - before, axis=1)
        for view in np.unique(places[holding(places, x, y), 0]):
            own = np.flatnonzero(places[:, 0] == view)
            most = places[own[change[own].argmax()]]
            assert near(most, x, y, half), (x, y, most)
            found += 1
    assert found >= 2


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", CASES)
def test_a_bright_square_is_found_in_the_encoder(name, size, loaded, cards):
    adapter, card = loaded(name), cards(name)
    check(size, adapter.places(size, "vision"), lambda i: look(adapter, card, i, "vision.0"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", sorted({*READERS} - NOWHERE))
def test_a_bright_square_is_found_behind_the_connector(name, size, loaded, cards):
    adapter, card = loaded(name), cards(name)
    see = lambda image: look(adapter, card, image, "connector")  # noqa: E731
    check(size, adapter.places(size, "connector"), see)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", sorted({*READERS} - NOWHERE - {"mllama"}))
def test_a_bright_square_is_found_in_what_the_language_model_reads(name, size, loaded):
    adapter = loaded(name)
    check(size, adapter.places(size, "lm"), lambda image: features(adapter, image))


@pytest.mark.parametrize("size", [(64, 64), (97, 41), (640, 480), (5, 7), (1, 1), (2000, 300)])
@pytest.mark.parametrize("name", ["siglip", "vit_mae", "blip2", "paligemma"])
def test_a_picture_that_is_resized_whole_has_its_tokens_in_equal_parts(name, size, loaded):
    found = loaded(name).places(size, "vision")
    row, column = np.divmod(np.arange(16), 4)
    wide, high = np.divide(size, 4)
    edges = np.stack([column * wide, row * high, (column + 1) * wide, (row + 1) * high], axis=1)
    np.testing.assert_array_equal(found[:, :3], np.stack([0 * row, row, column], axis=1))
    np.testing.assert_allclose(found[:, 3:], edges, atol=1e-3)


@pytest.mark.parametrize("size", [(97, 41), (640, 480), (300, 900)])
@pytest.mark.parametrize("name", ["clip", "dinov2", "llava"])
def test_a_centre_crop_leaves_out_what_it_cuts_off(name, size, loaded):
    scale = 32 / min(size)  # the shorter side is resized to 32 pixels, the longer in proportion
    resized = [int(n * scale) for n in size]
    exact = np.divide(size, resized)
    first = [(n - 32) // 2 for n in resized] * exact
    left, top, right, bottom = loaded(name).places(size, "vision")[:, 3:].T
    np.testing.assert_allclose([left.min(), top.min()], first, atol=0.5)
    np.testing.assert_allclose([right.max(), bottom.max()], first + 32 * exact, atol=0.5)


def test_tokens_that_show_padding_alone_lie_nowhere(loaded):
    places = loaded("janus").places((100, 25), "lm")  # padded to a square: one line of four is seen
    assert np.isnan(places[:4, 3:]).all()
    assert (places[:4, 1:3] == -1).all()
    np.testing.assert_allclose(places[4:8, [3, 5]], [[0, 25], [25, 50], [50, 75], [75, 100]])
    assert np.isfinite(places[4:12]).all()
    assert np.isnan(places[12:, 3:]).all()


@pytest.mark.parametrize("name", sorted(NOWHERE))
def test_learned_queries_lie_nowhere(name, loaded):
    for region in ("connector", "lm"):
        places = loaded(name).places((64, 40), region)
        assert places.shape == (6, 7)
        assert np.isnan(places[:, 3:]).all()
        assert (places[:, 1:3] == -1).all()


@pytest.mark.parametrize("name", sorted({*READERS} - NOWHERE - {"mllama"}))
def test_rows_and_columns_of_a_view_are_a_regular_grid_over_the_picture(name, loaded):
    size = (150, 97)
    places = loaded(name).places(size, "lm")
    for view in np.unique(places[:, 0]):
        own = places[(places[:, 0] == view) & (places[:, 1] >= 0)]
        for axis, low in ((2, 3), (1, 4)):
            first = [own[own[:, axis] == n, low] for n in np.unique(own[:, axis])]
            assert max(np.ptp(edges) for edges in first) < 0.1
            assert (np.diff([edges[0] for edges in first]) > 1).all()


@pytest.mark.parametrize("name", CASES)
def test_places_depend_on_the_size_alone_and_are_measured_once(name, loaded, monkeypatch):
    adapter = loaded(name)
    once = adapter.places((50, 60), "vision")
    monkeypatch.setattr(Adapter, "locate", None)
    assert adapter.places((50, 60), "vision") is once


def test_a_picture_among_several_is_seen_whole_only(loaded):
    places = loaded("llava_onevision").places((100, 40), "lm", of=2)
    assert len(places) == 17
    assert np.isnan(places[-1, 3:]).all()
    assert np.nanmin(places[:, 3]) == 0
    assert np.nanmax(places[:, 5]) == 100
