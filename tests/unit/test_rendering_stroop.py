"""Rendered Stroop images: a complete, balanced grid; words and colours match the table."""

import csv
import itertools
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from rendering_fixture import draw, shards, tree

from eyechart.core.errors import UserError
from eyechart.data.layouts.stroop import layout as stroop_layout
from eyechart.rendering.datasets.stroop.concepts import KINDS, draw_concept
from eyechart.rendering.datasets.stroop.palettes import PALETTES, contrast, palette
from eyechart.rendering.datasets.stroop.words import BUILT_IN, Cell, draw_word, grid
from eyechart.tables.receipt import read_receipt

OWN = {"red": [200, 0, 0], "sea green": [46, 139, 87], "white": [255, 255, 255], "black": [0, 0, 0]}
STROOP = {
    "image_px": [64, 48], "palette": OWN, "typefaces": list(BUILT_IN), "text_height": [0.25, 0.5],
    "copies": 1, "keep_unreadable": False, "least_contrast": 1, "concept_images": 3,
}  # fmt: skip
COLORS = palette(OWN, "palette")
CELL = Cell("red", "white", "black", 0)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("stroop"), "stroop", {"test": 1000}, **STROOP)


def rows(root):
    with open(root / "Stroop.csv", newline="") as file:
        return list(csv.DictReader(file))


def read(path):
    with Image.open(path) as picture:
        return np.array(picture.convert("RGB")).astype(int)


def test_every_word_font_and_background_combination_occurs_once(root):
    found = Counter((row["word"], row["font"], row["background"]) for row in rows(root))
    assert found == Counter((w, f, b) for w, f, b in itertools.product(OWN, repeat=3) if f != b)
    first = rows(root)[0]
    assert first["file"].startswith(
        f"words/{first['word']}_in_{first['font']}_on".replace(" ", "-")
    )


def test_the_layout_reads_what_was_rendered(root):
    found = stroop_layout.read_dataset(root)
    assert found.colors == OWN
    assert {name: len(files) for name, files in found.concepts.items()} == dict.fromkeys(OWN, 3)
    counts, files = stroop_layout.inventory(root, ["test"])
    receipt = read_receipt(root / "acquired.json")
    assert receipt["splits"] == counts
    assert [entry["path"] for entry in receipt["files"]] == sorted(map(str, files))


def test_a_word_has_the_colours_and_position_in_the_table(root):
    for row in rows(root):
        picture = read(root / row["file"])
        font, ground = (np.array(OWN[row[name]]) for name in ("font", "background"))
        assert picture.shape == (48, 64, 3)
        assert (picture[0] == ground).all()  # nothing touches the border
        assert (picture[:, -1] == ground).all()
        inked = (picture != ground).any(axis=-1)
        assert 0.02 < inked.mean() < 0.6
        reach = np.abs(font - ground).max()
        assert (np.abs(picture - font).max(axis=-1) < 0.4 * reach).sum() >= 15  # not only its edges
        down, across = np.nonzero(inked)
        middle = (across.min() + across.max() + 1) / 2, (down.min() + down.max() + 1) / 2
        assert middle == pytest.approx((float(row["x"]), float(row["y"])), abs=1.5)
        assert float(row["contrast"]) == pytest.approx(
            contrast(*(map(tuple, (font, ground)))), abs=0.01
        )


def test_bytes_do_not_depend_on_the_number_of_shards_or_images(root, tmp_path):
    three = draw(tmp_path / "three", "stroop", {"test": 1000}, shards=3, **STROOP)
    assert tree(three) == tree(root)
    assert len(shards(three)) == 3
    few = draw(tmp_path / "few", "stroop", {"test": 16}, **STROOP)
    words = {name: data for name, data in tree(few).items() if name.endswith(".png")}
    assert len([name for name in words if name.startswith("words/")]) == 16
    assert words.items() <= tree(root).items()


@pytest.mark.parametrize("most", [8, 24, 64, 1000])
def test_any_subset_of_the_grid_is_balanced(most):
    colors = PALETTES["clevr"]
    cells = grid(colors, {**STROOP, "copies": 2}, most, 7)
    assert len(cells) == min(most, 2 * 8 * 8 * 7)
    assert len(set(cells)) == len(cells)
    for part in range(3):
        counts = Counter(cell[part] for cell in cells)
        assert set(counts.values()) == {len(cells) // 8}


def test_unreadable_and_faint_cells_are_rendered_as_configured():
    every = grid(COLORS, {**STROOP, "keep_unreadable": True}, 1000, 7)
    assert len(every) == 4**3
    plain = grid(COLORS, {**STROOP, "least_contrast": 4.5}, 1000, 7)
    assert 0 < len(plain) < 48
    assert all(contrast(COLORS[c.font], COLORS[c.background]) >= 4.5 for c in plain)


@pytest.mark.parametrize("typeface", BUILT_IN)
@pytest.mark.parametrize("name", ["turquoise", "red"])
def test_words_of_the_twenty_names_fit_a_small_image_in_every_typeface(dice, typeface, name):
    colors = PALETTES["vlm_lens"]
    settings = {**STROOP, "image_px": [80, 80], "typefaces": [typeface]}
    for _ in range(5):
        drawn = draw_word(Cell(name, "white", "black", 0), colors, settings, dice)
        inked = drawn.image.max(axis=-1) > 0
        assert not (inked[0] | inked[-1]).any()
        assert drawn.size_px >= 8
        assert drawn.typeface == typeface


@pytest.fixture
def dice():
    from eyechart.core.randomness import dice

    return dice("test")


def test_typefaces_and_positions_differ(dice):
    same = {"text_height": [0.4, 0.4]}
    drawn = [
        draw_word(CELL, COLORS, {**STROOP, **same, "typefaces": [t]}, dice)
        for t in BUILT_IN
        for _ in range(20)
    ]
    ink = {
        t: [int((d.image[..., 0] > 127).sum()) for d in drawn if d.typeface == t] for t in BUILT_IN
    }
    assert min(ink["bold"]) > 1.15 * max(ink["plain"])
    assert len({(d.x, d.y) for d in drawn}) > 40


def test_short_words_are_spread_over_the_ninths_of_the_image(dice):
    small = {**STROOP, "image_px": [90, 90], "text_height": [0.2, 0.2], "typefaces": ["plain"]}
    drawn = [draw_word(CELL, COLORS, small, dice) for _ in range(450)]
    counts = Counter((int(d.x // 30), int(d.y // 30)) for d in drawn)
    assert len(counts) == 9
    assert min(counts.values()) > 25  # 50 are expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PALETTES["vlm_lens"])
def test_concept_images_show_their_colour_and_are_distinct(kind, name):
    color = PALETTES["vlm_lens"][name]
    images = [draw_concept(color, kind, (60, 48), np.random.default_rng(s)) for s in range(4)]
    assert len({picture.tobytes() for picture in images}) == 4
    for picture in images:
        assert picture.shape == (48, 60, 3)
        near = np.abs(picture.astype(int) - color).max(axis=-1) < 60
        assert near.mean() > (0.1 if kind == "object" else 0.9)
        middle = picture[20:28, 26:34].reshape(-1, 3).mean(axis=0)
        assert np.abs(middle - color).max() < 70


def test_the_named_palettes_have_the_official_values():
    assert PALETTES["clevr"]["gray"] == (87, 87, 87)
    lens = PALETTES["vlm_lens"]
    assert len(lens) == 20
    from PIL import ImageColor

    assert all(ImageColor.getrgb(name) == color for name, color in lens.items())
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ("clever", "p is 'clever'; did you mean 'clevr'"),
        ({"a": [1, 2, 3], "b": [1, 2, 4]}, "p has 2 colours, expected at least 3"),
        ({"a": [1, 2]}, r"p.a is \[1, 2\], expected three whole numbers from 0 to 255"),
        ({"a": [1, 2, 256]}, r"p.a is \[1, 2, 256\], expected three"),
        ({"a": [1, 2, 3.5]}, r"p.a is \[1, 2, 3.5\], expected three"),
        ({"a": [1, 2, 3], "b": [1, 2, 3]}, r"p.b is \[1, 2, 3\], which is also 'a'"),
        ({"../a": [1, 2, 3]}, "p has the name '../a', expected letters, digits"),
    ],
)
def test_an_impossible_palette_is_refused(own, words):
    with pytest.raises(UserError, match=words):
        palette(own, "p")


def test_impossible_fonts_and_sizes_are_refused(tmp_path, dice):
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    with pytest.raises(UserError, match=r"typefaces: '.*broken.ttf' is not a readable font"):
        draw(tmp_path, "stroop", {"test": 4}, **STROOP | {"typefaces": [str(broken)]})
    with pytest.raises(
        UserError,
        match=r"'elsewhere/plain.ttf' and another typeface|another typeface are both named",
    ):
        draw(tmp_path, "stroop", {"test": 4}, **STROOP | {"typefaces": ["plain", "x/plain.ttf"]})
    with pytest.raises(UserError, match=r"the word 'red' would be smaller than 8 px"):
        draw_word(CELL, COLORS, {**STROOP, "image_px": [12, 12]}, dice)
