"""Canvas and marks: marks on the canvas are at the positions of the moved regions."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skills_fixture import photo

from eyechart.core.errors import UserError
from eyechart.core.randomness import generator
from eyechart.data.canvas.compose import CanvasStyle, draw_canvas, plan
from eyechart.data.canvas.marks import DARK, FRAMES, LIGHT, draw_marks, label_height
from eyechart.tables import regions as table
from eyechart.tables.regions import box, point, whole_image

PLAIN = CanvasStyle(marks=False, square=False, canvas_px=None, columns=None, gap=0.05, margin=0.02,
              background="white", label_share=0.06)  # fmt: skip
SIZES = [(40, 30), (30, 40), (64, 32), (33, 33)]


def style(**changes):
    return CanvasStyle(**{**PLAIN.__dict__, **changes})


def spot(size, at, side):
    """Return a dark image with a bright square around a point, and the point's region."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    x, y = int(at[0]), int(at[1])
    pixels[max(y - side, 0) : y + side + 1, max(x - side, 0) : x + side + 1] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("square", "canvas_px", "columns", "marks"),
    list(itertools.product([False, True], [None, 80, 224], [None, 2], [False, True])),
)
def test_marks_on_a_view_are_found_on_the_canvas(count, square, canvas_px, columns, marks):
    rng = generator("canvas", count, int(square), canvas_px or 0, columns or 0)
    sizes = [(3 * w, 3 * h) for w, h in SIZES[:count]]
    for chosen in range(count):
        at = [float(rng.uniform(0.2, 0.8) * length) for length in sizes[chosen]]
        views = [Image.new("RGB", size) for size in sizes]
        views[chosen] = spot(sizes[chosen], at, 5)
        of = [[whole_image("ABCD"[n], *size)] for n, size in enumerate(sizes)]
        of[chosen].append(point("REF", *at))
        look = style(square=square, canvas_px=canvas_px, columns=columns, background="#000000")
        canvas, moved = draw_canvas(views, of, look)
        bright = np.asarray(canvas, np.float64).sum(axis=2)
        rows, cols = np.indices(bright.shape)
        found = [(axis * bright).sum() / bright.sum() + 0.5 for axis in (cols, rows)]
        expected = moved[chosen][1].middle
        # the square is centred on the point's pixel, so it is at most half a pixel off
        scale = (moved[chosen][0].right - moved[chosen][0].left) / sizes[chosen][0]
        assert abs(found[0] - expected[0]) <= 0.5 * scale + 0.1
        assert abs(found[1] - expected[1]) <= 0.5 * scale + 0.1
        if marks:
            marked, there = draw_canvas(views, of, style(**{**look.__dict__, "marks": True}))
            whole, spotted = there[chosen]
            assert whole.left <= spotted.left <= whole.right
            assert whole.within(*marked.size)
            # a point's label may cover it only if the image has no room for both
            if whole.right - whole.left > 40:
                assert tuple(np.asarray(marked)[int(spotted.top), int(spotted.left)]) != (0, 0, 0)


@pytest.mark.parametrize("canvas_px", [None, 80, 81, 224, 1000])
@pytest.mark.parametrize("columns", [None, 1, 2, 3])
@pytest.mark.parametrize("labelled", [False, True])
def test_images_are_within_the_canvas_and_do_not_overlap(canvas_px, columns, labelled):
    for count, square in itertools.product((1, 2, 3, 4), (False, True)):
        look = style(square=square, canvas_px=canvas_px, columns=columns)
        laid = plan(SIZES[:count], look, labelled)
        if canvas_px:
            assert max(laid.size) == canvas_px
        if square:
            assert laid.size[0] == laid.size[1]
        taken = np.zeros(laid.size[::-1], int)
        for place in laid.places:
            high = slice(place.top - laid.header, place.top + place.height)
            assert place.top >= laid.header
            assert place.left + place.width <= laid.size[0]
            assert place.top + place.height <= laid.size[1]
            taken[high, place.left : place.left + place.width] += 1
        assert taken.max() == 1
        assert len({place.height for place in laid.places}) == 1


def test_images_keep_their_aspect_ratio_and_a_single_one_its_pixels():
    laid = plan([(400, 300), (300, 600)], style(canvas_px=500), False)
    for place, (width, height) in zip(laid.places, [(400, 300), (300, 600)], strict=True):
        assert abs(place.width / place.height - width / height) < 0.02
    view = photo(40, 30, 1)
    canvas, moved = draw_canvas([view], [[point("REF", 3.25, 4.5)]], style(gap=0, margin=0))
    assert canvas.tobytes() == view.tobytes()
    assert moved[0][0] == point("REF", 3.25, 4.5)


def test_a_canvas_with_no_room_for_its_images_is_refused():
    with pytest.raises(UserError, match=r"canvas_px is 20, too small for 3 images; make it larg"):
        plan([(400, 300)] * 3, style(canvas_px=20, columns=1), True)


@pytest.mark.parametrize("size", [80, 224, 336])
@pytest.mark.parametrize("ground", ["white", "black", "#808080", "#ffec40"])
def test_marks_are_visible_on_any_background(size, ground):
    image = Image.new("RGB", (size, size), ground)
    of = [point("A", size * 0.3, size * 0.4), point("B", size * 0.7, size * 0.6)]
    drawn = np.asarray(draw_marks(image, of)).reshape(-1, 3).tolist()
    light, dark = drawn.count(list(LIGHT)), drawn.count(list(DARK))
    label = label_height(size, size)
    assert light > label if ground != "#ffec40" else light > 0
    assert dark > label * label / 2


def test_a_ring_surrounds_its_point_and_leaves_it_visible():
    for x, y in ((40.5, 30.5), (20.0, 25.0), (60.25, 10.75)):
        image = Image.new("RGB", (80, 60), "#0000ff")
        drawn = np.asarray(draw_marks(image, [point("", x, y)]))
        ring = (drawn != (0, 0, 255)).any(axis=2)
        rows, cols = np.nonzero(ring)
        assert abs((cols.min() + cols.max() + 1) / 2 - x) <= 0.5
        assert abs((rows.min() + rows.max() + 1) / 2 - y) <= 0.5
        assert not ring[int(y), int(x)]


def test_labels_stay_on_the_image_and_off_other_marks():
    for seed in range(20):
        rng = generator("labels", seed)
        image = Image.new("RGB", (160, 120), "#0000ff")
        of = [point(a, *(rng.uniform(0, 1, 2) * (159, 119))) for a in "ABCD"]
        gaps = [abs(complex(*a.middle) - complex(*b.middle)) for a in of for b in of if a != b]
        if min(gaps) < 30:
            continue
        for mark in of:
            alone = np.asarray(draw_marks(image, [mark]))
            others = draw_marks(image, [m for m in of if m != mark])
            both = np.asarray(draw_marks(image, of))
            added = (both != np.asarray(others)).any(axis=2).sum()
            # every mark is fully visible, so no two marks overlap
            assert added >= 0.9 * (alone != (0, 0, 255)).any(axis=2).sum()


def test_frames_are_red_and_blue_as_the_questions_say():
    image = Image.new("RGB", (80, 60), "white")
    drawn = draw_marks(image, [box("A", 10, 10, 40, 40), box("B", 50, 20, 80, 60)])
    pixels = np.asarray(drawn)
    assert tuple(pixels[25, 10]) == FRAMES["A"]
    assert tuple(pixels[59, 60]) == FRAMES["B"]
    assert tuple(pixels[25, 25]) == (255, 255, 255)


@pytest.mark.parametrize(
    ("region", "inside"),
    [
        (point("A", 0, 0), True),
        (point("A", 39.99, 29.99), True),
        (point("A", 40, 10), False),
        (point("A", -0.01, 10), False),
        (point("A", float("nan"), 1), False),
        (box("A", 0, 0, 40, 30), True),
        (box("A", 0, 0, 40.1, 30), False),
        (box("A", 5, 5, 5, 9), False),
        (whole_image("A", 40, 30), True),
    ],
)
def test_a_region_is_checked_against_its_image(region, inside):
    assert region.within(40, 30) == inside


def test_the_table_of_regions_is_sorted_and_read_by_item(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [
        {"item_id": item, "seen": seen, "image_id": f"{item}_{seen}"} | region._asdict()
        for item, seen, region in itertools.product(
            ("b", "a"), ("canvas", "alone"), (point("REF", 1, 2), point("A", 3, 4))
        )
    ]
    table.write_regions(Path("regions.parquet"), rows)
    found = table.read_regions(Path("regions.parquet"), "alone")
    assert list(found) == ["a", "b"]
    assert found["a"] == {
        "A": ("a_alone", point("A", 3, 4)),
        "REF": ("a_alone", point("REF", 1, 2)),
    }
    with pytest.raises(UserError, match=r"seen is 'alon'; did you mean 'alone'\?"):
        table.read_regions(Path("regions.parquet"), "alon")
