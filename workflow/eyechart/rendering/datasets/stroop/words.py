"""Word pictures for Stroop: which there are, and how one is drawn.

A picture shows a colour's name (the word) in a font colour on a background.
"""

import itertools
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eyechart.core import randomness
from eyechart.core.errors import UserError
from eyechart.rendering.datasets.stroop.palettes import Color, contrast

PLAIN, BOLD, SLANTED = "plain", "bold", "slanted"
BUILT_IN = (PLAIN, BOLD, SLANTED)  # all of the one scalable typeface that Pillow brings along
SLANT = 0.25  # shift to the right per unit of height
EDGE = 0.03  # share of the picture on every side that a word keeps clear of
SMALLEST = 8  # px of the em below which small letters are no longer told apart


class Cell(NamedTuple):
    """One picture of the grid: three colours' names, and which of several copies it is."""

    word: str
    font: str
    background: str
    copy: int

    @property
    def stem(self) -> str:
        """Its file's name without an end, VLM-Lens' ``<word>_in_<font>`` and what is new here."""
        words = "_in_".join((self.word, self.font))
        return f"{words}_on_{self.background}_{self.copy}".replace(" ", "-")


class Drawn(NamedTuple):
    """A drawn word: uint8 (h, w, 3), and what the table says of it (places in px)."""

    picture: np.ndarray
    typeface: str
    size_px: int
    x: float
    y: float


def grid(colors: dict[str, Color], settings: dict[str, Any], most: int, seed: int) -> list[Cell]:
    """Give the pictures to draw: the whole grid, or the first ``most`` of it.

    The grid stands in blocks of as many pictures as there are colours, each of which shows every
    colour once as word, once as font colour and once as background; the seed shuffles blocks. So
    whatever ``most`` is, no colour is an answer much more often than another.

    Parameters
    ----------
    colors : dict
    settings : dict
        ``copies`` of each cell; ``keep_unreadable``: also font colours that are the background;
        ``least_contrast``: cells below it are left out, which unbalances the blocks.
    most : int
    seed : int
    """
    names, k = list(colors), len(colors)
    blocks = [
        (font, background, copy)
        for copy, font, background in itertools.product(
            range(settings["copies"]), range(k), range(k)
        )
        if font != background or settings["keep_unreadable"]
    ]
    randomness.dice("stroop blocks", seed, *names).shuffle(blocks)
    blocks.sort(key=lambda block: block[2])  # all cells once before any is copied
    cells = (
        Cell(names[i], names[(i + font) % k], names[(i + background) % k], copy)
        for font, background, copy in blocks
        for i in range(k)
    )
    kept = (c for c in cells if _readable(c, colors, settings))
    return list(itertools.islice(kept, most))


def draw_word(cell: Cell, colors: dict[str, Color], settings: dict[str, Any], rng: Random) -> Drawn:
    """Draw a word in a typeface, a size and a place that chance decides.

    Typeface and the ninth of the picture that the word's middle is in make a group, so that these
    are drawn evenly where the word leaves a choice.

    Parameters
    ----------
    settings : dict
        ``image_px`` [width, height]; ``typefaces``: of :data:`BUILT_IN`, or paths of font files;
        ``text_height`` [low, high]: the em as a share of the picture's height. A word that would
        be too wide is drawn smaller.

    Raises
    ------
    UserError
        If a font cannot be read, or the word does not fit in a size that can be read.
    """
    width, height = settings["image_px"]
    typeface = rng.choice(settings["typefaces"])
    px = max(SMALLEST, round(rng.uniform(*settings["text_height"]) * height))
    mask = letters(cell.word, typeface, px)
    room = int((1 - 2 * EDGE) * width), int((1 - 2 * EDGE) * height)
    while (share := max(mask.shape[1] / room[0], mask.shape[0] / room[1])) > 1:
        px = min(px - 1, int(px / share))
        if px < SMALLEST:
            raise UserError(
                f"rendering.image_px is {[width, height]}: the word {cell.word!r} would be smaller "
                f"than {SMALLEST} px; draw larger pictures, or shorter words"
            )
        mask = letters(cell.word, typeface, px)
    left = _start(width, room[0], mask.shape[1], rng)
    top = _start(height, room[1], mask.shape[0], rng)
    cover = np.zeros((height, width, 1))
    cover[top : top + mask.shape[0], left : left + mask.shape[1], 0] = mask / 255
    ink, ground = (np.array(colors[name], float) for name in (cell.font, cell.background))
    picture = np.round(ground + cover * (ink - ground)).astype(np.uint8)
    centre = left + mask.shape[1] / 2, top + mask.shape[0] / 2
    return Drawn(picture, typeface_name(typeface), px, *centre)


def _start(side: int, room: int, length: int, rng: Random) -> int:
    """Draw where a word begins: each third that its middle can be in is as likely as another."""
    edge = (side - room) // 2
    thirds: dict[int, list[int]] = {}
    for start in range(edge, edge + room - length + 1):
        thirds.setdefault(int(3 * (start + length / 2) / side), []).append(start)
    return rng.choice(rng.choice(list(thirds.values())))


@lru_cache(maxsize=4096)
def letters(text: str, typeface: str, px: int) -> np.ndarray:
    """Give how much of each pixel a text covers, uint8 (h, w), cut to its ink."""
    font = _font(typeface, px)
    stroke = px / 28 if typeface == BOLD else 0
    left, top, right, bottom = (round(v) for v in font.getbbox(text, stroke_width=stroke))
    size = right - left + 2 * px, bottom - top + 4
    mask = Image.new("L", size, 0)
    corner = (px - left, 2 - top)
    ImageDraw.Draw(mask).text(corner, text, fill=255, font=font, stroke_width=stroke)
    if typeface == SLANTED:
        lean = (1, SLANT, -SLANT * size[1] / 2, 0, 1, 0)
        mask = mask.transform(size, Image.Transform.AFFINE, lean, Image.Resampling.BICUBIC)
    box = mask.getbbox()
    if box is None:
        raise UserError(f"typefaces: {typeface!r} has no letters for {text!r}; take another font")
    found = np.asarray(mask.crop(box))
    found.setflags(write=False)  # shared by all who ask
    return found


def typeface_name(typeface: str) -> str:
    """Give the name of a typeface: of a font file, its own without folder and end."""
    return typeface if typeface in BUILT_IN else Path(typeface).stem


def check_typefaces(typefaces: list[str], where: str) -> None:
    """Raise a UserError for a font file that cannot be read, or two that go by one name."""
    names = [typeface_name(typeface) for typeface in typefaces]
    for typeface, name in zip(typefaces, names, strict=True):
        if names.count(name) > 1:
            raise UserError(f"{where}: {typeface!r} would share the name {name!r} with another")
        _font(typeface, SMALLEST)


def _readable(cell: Cell, colors: dict[str, Color], settings: dict[str, Any]) -> bool:
    if cell.font == cell.background:
        return True  # grid() leaves these out unless they are asked for
    found = contrast(colors[cell.font], colors[cell.background])
    return found >= float(settings["least_contrast"])


def _font(typeface: str, px: int) -> Any:
    if typeface in BUILT_IN:
        return ImageFont.load_default(px)
    try:  # the basic layout, as the default has it: some machines lack the finer one
        return ImageFont.truetype(typeface, px, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise UserError(
            f"typefaces: {typeface!r} is no font that can be read ({error}); give the path of a "
            f".ttf or .otf file, or one of {', '.join(BUILT_IN)}"
        ) from None
