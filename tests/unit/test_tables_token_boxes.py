"""Tokens at points and in boxes: bilinear as in torch, area means, finest view first."""

import numpy as np
import pytest
import torch

from eyechart.tables.regions import box, point
from eyechart.tables.token_boxes import (
    OutsideError,
    shown_weights,
    weights_at_point,
    weights_in_box,
)

RNG = np.random.default_rng(0)


def at_point(tokens: np.ndarray, places: np.ndarray, x: float, y: float) -> np.ndarray:
    used = np.flatnonzero(weights := weights_at_point(places, x, y))
    return np.asarray(weights[used] @ tokens[used])


def in_box(tokens: np.ndarray, places: np.ndarray, *edges: float) -> np.ndarray:
    return np.asarray(weights_in_box(places, *edges) @ tokens)


def grid(
    rows: int, columns: int, left: float, top: float, right: float, bottom: float, view: int = 0
) -> np.ndarray:
    """Return the positions of a regular grid of tokens over a box."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    wide, high = (right - left) / columns, (bottom - top) / rows
    x, y = left + column * wide, top + row * high
    return np.stack([np.full(len(row), view), row, column, x, y, x + wide, y + high], axis=1)


@pytest.mark.parametrize("rows, columns", [(4, 4), (3, 7), (1, 5)])
def test_a_point_is_interpolated_as_torch_does(rows: int, columns: int) -> None:
    places = grid(rows, columns, -10, 20, 130, 90)
    tokens = RNG.normal(size=(rows * columns, 6))
    points = RNG.uniform([-10, 20], [130, 90], size=(200, 2))
    scaled = (points - [-10, 20]) / [140, 70] * 2 - 1
    expected = torch.nn.functional.grid_sample(
        torch.tensor(tokens.reshape(rows, columns, 6)).permute(2, 0, 1)[None],
        torch.tensor(scaled)[None, None],
        align_corners=False,
        padding_mode="border",
    )[0, :, 0].T.numpy()
    found = np.stack([at_point(tokens, places, x, y) for x, y in points])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_half_a_token_outside_counts_and_more_does_not() -> None:
    places = grid(2, 2, 0, 0, 20, 20)
    tokens = RNG.normal(size=(4, 3))
    np.testing.assert_allclose(at_point(tokens, places, -4, 5), tokens[0])
    np.testing.assert_allclose(at_point(tokens, places, 24, 24), tokens[3])
    with pytest.raises(OutsideError, match=r"\(26, 5\).*from \(0, 0\) to \(20, 20\)"):
        weights_at_point(places, 26, 5)


def test_the_finest_view_that_contains_the_point_is_used() -> None:
    places = np.concatenate([grid(2, 2, 0, 0, 100, 100), grid(4, 4, 0, 0, 50, 50, view=1)])
    assert weights_at_point(places, 30, 30)[:4].sum() == 0
    assert weights_at_point(places, 70, 30)[:4].sum() == pytest.approx(1)
    # just outside the fine view, but inside the coarse one
    assert weights_at_point(places, 52, 30)[:4].sum() == pytest.approx(1)


def test_tiles_of_equal_size_are_treated_as_one_plane() -> None:
    whole = grid(4, 8, 0, 0, 80, 40)
    halves = np.concatenate([grid(4, 4, 0, 0, 40, 40), grid(4, 4, 40, 0, 80, 40, view=1)])
    columns = whole[:, 3]
    order = np.concatenate([np.flatnonzero(columns < 40), np.flatnonzero(columns >= 40)])
    tokens = RNG.normal(size=(32, 3))
    for x, y in RNG.uniform([0, 0], [80, 40], size=(50, 2)):
        one = at_point(tokens, whole, x, y)
        np.testing.assert_allclose(at_point(tokens[order], halves, x, y), one)
        one = in_box(tokens, whole, x - 9, y - 9, x + 9, y + 9)
        two = in_box(tokens[order], halves, x - 9, y - 9, x + 9, y + 9)
        np.testing.assert_allclose(two, one)


def test_a_box_is_the_mean_by_area() -> None:
    places = grid(2, 2, 0, 0, 20, 20)
    np.testing.assert_allclose(weights_in_box(places, 5, 0, 20, 10), [1 / 3, 2 / 3, 0, 0])
    np.testing.assert_allclose(weights_in_box(places, -50, -50, 90, 90), [0.25] * 4)
    tokens = RNG.normal(size=(4, 3))
    np.testing.assert_allclose(in_box(tokens, places, 0, 0, 20, 20), tokens.mean(axis=0))


def test_a_box_uses_the_finest_view_that_covers_most_of_it() -> None:
    places = np.concatenate([grid(2, 2, 0, 0, 100, 100), grid(4, 4, 0, 0, 50, 50, view=1)])
    assert weights_in_box(places, 10, 10, 60, 40)[:4].sum() == 0
    assert weights_in_box(places, 40, 10, 90, 40)[4:].sum() == 0
    # no view contains most of this box, so the view that contains more
    assert weights_in_box(places, 30, 0, 400, 50)[:4].sum() == pytest.approx(1)


def test_tokens_without_a_position_have_no_weight() -> None:
    nowhere = np.array([[0, -1, -1, *[np.nan] * 4]])
    places = np.concatenate([nowhere, grid(2, 2, 0, 0, 20, 20), nowhere])
    for weights in (weights_at_point(places, 3, 4), weights_in_box(places, 1, 1, 15, 9)):
        assert weights[0] == weights[-1] == 0
        assert weights.sum() == pytest.approx(1)
    tokens = np.full((6, 2), np.nan)
    tokens[1:5] = 1
    np.testing.assert_allclose(at_point(tokens, places, 3, 4), [1, 1])
    with pytest.raises(OutsideError, match="no token has a position"):
        weights_at_point(nowhere, 3, 4)
    with pytest.raises(OutsideError, match="box"):
        weights_in_box(places, 30, 30, 40, 40)


def test_regions_of_an_item_count_equally() -> None:
    places = grid(2, 2, 0, 0, 20, 20)
    found = shown_weights(places, [box("REF", 0, 0, 10, 10), box("REF2", 0, 10, 20, 20)])
    np.testing.assert_allclose(found, [0.5, 0, 0.25, 0.25])
    np.testing.assert_allclose(shown_weights(places, [point("REF", 10, 5)]), [0.5, 0.5, 0, 0])


def test_the_nearest_token_replaces_a_cropped_region() -> None:
    nowhere = np.array([[0, -1, -1, *[np.nan] * 4]])
    places = np.concatenate([nowhere, grid(2, 2, 20, 0, 40, 20)])
    for region in (box("REF", 0, 12, 10, 20), point("REF", 5, 16)):
        np.testing.assert_allclose(shown_weights(places, [region]), [0, 0, 0, 1, 0])
    with pytest.raises(OutsideError, match="no token has a position"):
        shown_weights(nowhere, [point("REF", 1, 1)])
