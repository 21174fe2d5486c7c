"""Token positions are correct in every family: the token at a bright square changes most."""

import numpy as np
import pytest
from bright_square import SIZES, check, features, look
from zoo import FAMILIES

from eyechart.models.families.base import Adapter

# from PaliGemma's processor
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CASES = sorted(FAMILIES)
READERS = sorted(name for name, case in FAMILIES.items() if case.kind == "vlm")
# learned queries
NOWHERE = {"blip2", "blip2_t5", "instructblip", "mixture_attention", "mixture_qformer"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", CASES)
def test_a_bright_square_is_found_in_the_encoder(name, size, loaded, cards):
    adapter, card = loaded(name), cards(name)
    check(size, adapter.token_boxes(size, "vision"), lambda i: look(adapter, card, i, "vision.0"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", sorted({*READERS} - NOWHERE))
def test_a_bright_square_is_found_after_the_connector(name, size, loaded, cards):
    adapter, card = loaded(name), cards(name)
    see = lambda image: look(adapter, card, image, "connector")  # noqa: E731
    check(size, adapter.token_boxes(size, "connector"), see)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", sorted({*READERS} - NOWHERE - {"mllama"}))
def test_a_bright_square_is_found_in_the_language_models_input(name, size, loaded):
    adapter = loaded(name)
    check(size, adapter.token_boxes(size, "lm"), lambda image: features(adapter, image))


@pytest.mark.parametrize("name", ["clip", "siglip_vision", "dinov2", "dinov2_resized", "vit_mae"])
def test_a_card_counts_the_encoders_patches(name, loaded, cards):
    boxes = loaded(name).token_boxes((32, 32), "vision")
    assert len(boxes) == cards(name)["image_tokens"] == 16


@pytest.mark.parametrize("size", [(64, 64), (97, 41), (640, 480), (5, 7), (1, 1), (2000, 300)])
@pytest.mark.parametrize("name", ["siglip", "vit_mae", "blip2", "paligemma"])
def test_tokens_of_a_resized_image_cover_equal_parts(name, size, loaded):
    found = loaded(name).token_boxes(size, "vision")
    row, column = np.divmod(np.arange(16), 4)
    wide, high = np.divide(size, 4)
    edges = np.stack([column * wide, row * high, (column + 1) * wide, (row + 1) * high], axis=1)
    np.testing.assert_array_equal(found[:, :3], np.stack([0 * row, row, column], axis=1))
    np.testing.assert_allclose(found[:, 3:], edges, atol=1e-3)


@pytest.mark.parametrize("size", [(97, 41), (640, 480), (300, 900)])
@pytest.mark.parametrize("name", ["clip", "dinov2", "llava"])
def test_a_centre_crop_omits_the_margins(name, size, loaded):
    scale = 32 / min(size)  # the shorter side becomes 32 pixels, the longer in proportion
    resized = [int(n * scale) for n in size]
    exact = np.divide(size, resized)
    first = [(n - 32) // 2 for n in resized] * exact
    left, top, right, bottom = loaded(name).token_boxes(size, "vision")[:, 3:].T
    np.testing.assert_allclose([left.min(), top.min()], first, atol=0.5)
    np.testing.assert_allclose([right.max(), bottom.max()], first + 32 * exact, atol=0.5)


def test_tokens_of_padding_have_no_position(loaded):
    places = loaded("janus").token_boxes(
        (100, 25), "lm"
    )  # padded to a square: only one row of four shows the image
    assert np.isnan(places[:4, 3:]).all()
    assert (places[:4, 1:3] == -1).all()
    np.testing.assert_allclose(places[4:8, [3, 5]], [[0, 25], [25, 50], [50, 75], [75, 100]])
    assert np.isfinite(places[4:12]).all()
    assert np.isnan(places[12:, 3:]).all()


@pytest.mark.parametrize("name", sorted(NOWHERE))
def test_learned_queries_have_no_position(name, loaded):
    for region in ("connector", "lm"):
        places = loaded(name).token_boxes((64, 40), region)
        assert places.shape == (6, 7)
        assert np.isnan(places[:, 3:]).all()
        assert (places[:, 1:3] == -1).all()


@pytest.mark.parametrize("name", sorted({*READERS} - NOWHERE - {"mllama"}))
def test_rows_and_columns_of_a_view_form_a_regular_grid_over_the_image(name, loaded):
    size = (150, 97)
    places = loaded(name).token_boxes(size, "lm")
    for view in np.unique(places[:, 0]):
        own = places[(places[:, 0] == view) & (places[:, 1] >= 0)]
        for axis, low in ((2, 3), (1, 4)):
            first = [own[own[:, axis] == n, low] for n in np.unique(own[:, axis])]
            assert max(np.ptp(edges) for edges in first) < 0.1
            assert (np.diff([edges[0] for edges in first]) > 1).all()


@pytest.mark.parametrize("name", CASES)
def test_positions_depend_only_on_the_size_and_are_measured_once(name, loaded, monkeypatch):
    adapter = loaded(name)
    once = adapter.token_boxes((50, 60), "vision")
    monkeypatch.setattr(Adapter, "locate", None)
    assert adapter.token_boxes((50, 60), "vision") is once


def test_an_image_among_several_has_only_its_full_view(loaded):
    places = loaded("llava_onevision").token_boxes((100, 40), "lm", of=2)
    assert len(places) == 17
    assert np.isnan(places[-1, 3:]).all()
    assert np.nanmin(places[:, 3]) == 0
    assert np.nanmax(places[:, 5]) == 100
