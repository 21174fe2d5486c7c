"""Word images for Stroop: the grid of images, and the drawing of one image.

An image shows a colour name (the word) in a font colour on a background.
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
BUILT_IN = (PLAIN, BOLD, SLANTED)  # variants of the scalable typeface included in Pillow
SLANT = 0.25  # shift to the right per unit of height
EDGE = 0.03  # margin on every side, as a share of the image
SMALLEST = 8  # em in px below which lower-case letters are not legible


class Cell(NamedTuple):
    """One image of the grid: three colour names, and the number of the copy."""

    word: str
    font: str
    background: str
    copy: int

    @property
    def stem(self) -> str:
        """File name without suffix: ``<word>_in_<font>`` as in VLM-Lens, background and copy."""
        words = "_in_".join((self.word, self.font))
        return f"{words}_on_{self.background}_{self.copy}".replace(" ", "-")


class DrawnWord(NamedTuple):
    """A drawn word: uint8 (h, w, 3), and its table values (positions in px)."""

    image: np.ndarray
    typeface: str
    size_px: int
    x: float
    y: float


def grid(colors: dict[str, Color], settings: dict[str, Any], most: int, seed: int) -> list[Cell]:
    """Return the images to draw: the complete grid, or its first ``most`` cells.

    The grid consists of shuffled blocks with one image per colour. Each block shows every colour
    once as word, font colour and background, so all colours are almost equally frequent answers for
    any ``most``.

    ``settings``: ``copies`` of each cell; ``keep_unreadable``: keep font colours equal to the
    background; ``least_contrast``: cells below it are dropped, which unbalances the blocks.
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
    blocks.sort(key=lambda block: block[2])  # all cells once before any copies
    cells = (
        Cell(names[i], names[(i + font) % k], names[(i + background) % k], copy)
        for font, background, copy in blocks
        for i in range(k)
    )
    kept = (c for c in cells if _readable(c, colors, settings))
    return list(itertools.islice(kept, most))


def draw_word(
    cell: Cell, colors: dict[str, Color], settings: dict[str, Any], rng: Random
) -> DrawnWord:
    """Draw a word in a random typeface, size and position.

    A word's group is its typeface and the cell of a 3 x 3 grid that contains its centre, so both
    are drawn uniformly if the word's size leaves a choice. Raise a UserError if a font cannot be
    read, or if the word does not fit at a legible size.

    ``settings``: ``image_px`` [width, height]; ``typefaces``: of :data:`BUILT_IN`, or paths of font
    files; ``text_height`` [low, high]: the em as a share of the image's height, or less if too
    wide.
    """
    width, height = settings["image_px"]
    typeface = rng.choice(settings["typefaces"])
    px = max(SMALLEST, round(rng.uniform(*settings["text_height"]) * height))
    mask = letters(cell.word, typeface, px)
    space = int((1 - 2 * EDGE) * width), int((1 - 2 * EDGE) * height)
    while (share := max(mask.shape[1] / space[0], mask.shape[0] / space[1])) > 1:
        px = min(px - 1, int(px / share))
        if px < SMALLEST:
            raise UserError(
                f"rendering.image_px is {[width, height]}: the word {cell.word!r} would be smaller "
                f"than {SMALLEST} px; draw larger images, or shorter words"
            )
        mask = letters(cell.word, typeface, px)
    high, wide = mask.shape
    left, top = _start(width, space[0], wide, rng), _start(height, space[1], high, rng)
    cover = np.zeros((height, width, 1))
    cover[top : top + high, left : left + wide, 0] = mask / 255
    ink, ground = (np.array(colors[name], float) for name in (cell.font, cell.background))
    image = np.round(ground + cover * (ink - ground)).astype(np.uint8)
    return DrawnWord(image, typeface_name(typeface), px, left + wide / 2, top + high / 2)


def _start(side: int, space: int, length: int, rng: Random) -> int:
    """Draw a word's start position, uniformly over the thirds that can contain its centre."""
    edge = (side - space) // 2
    thirds: dict[int, list[int]] = {}
    for start in range(edge, edge + space - length + 1):
        thirds.setdefault(int(3 * (start + length / 2) / side), []).append(start)
    return rng.choice(rng.choice(list(thirds.values())))


@lru_cache(maxsize=4096)
def letters(text: str, typeface: str, px: int) -> np.ndarray:
    """Return the pixel coverage of rendered text, uint8 (h, w), cropped to its ink."""
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
        raise UserError(f"typefaces: {typeface!r} has no glyphs for {text!r}; use another font")
    found = np.asarray(mask.crop(box))
    found.setflags(write=False)  # shared by all callers
    return found


def typeface_name(typeface: str) -> str:
    """Return the name of a typeface; for a font file, its name without folder and suffix."""
    return typeface if typeface in BUILT_IN else Path(typeface).stem


def check_typefaces(typefaces: list[str], where: str) -> None:
    """Raise a UserError if a font file is unreadable, or if two typefaces have the same name."""
    names = [typeface_name(typeface) for typeface in typefaces]
    for typeface, name in zip(typefaces, names, strict=True):
        if names.count(name) > 1:
            raise UserError(f"{where}: {typeface!r} and another typeface are both named {name!r}")
        _font(typeface, SMALLEST)


def _readable(cell: Cell, colors: dict[str, Color], settings: dict[str, Any]) -> bool:
    if cell.font == cell.background:
        return True  # grid() drops these unless requested
    found = contrast(colors[cell.font], colors[cell.background])
    return found >= float(settings["least_contrast"])


def _font(typeface: str, px: int) -> Any:
    if typeface in BUILT_IN:
        return ImageFont.load_default(px)
    try:  # basic layout on all machines, because some lack Raqm
        return ImageFont.truetype(typeface, px, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        if Path(typeface).is_file():  # FreeType does not report why it cannot open a file
            Path(typeface).read_bytes()
        raise UserError(
            f"typefaces: {typeface!r} is not a readable font ({error}); give the path of a "
            f".ttf or .otf file, or one of {', '.join(BUILT_IN)}"
        ) from None
