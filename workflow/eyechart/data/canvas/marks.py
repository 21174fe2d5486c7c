"""Draw marks on images: points as labelled rings, boxes as frames, labels of whole images.

Light lines between two dark lines, and light names on a dark plate, are visible on any background.
Colour only matters for the two frames that CV-Bench's questions call red and blue. Rings are open,
so the marked point stays visible.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from eyechart.tables.regions import BOX, POINT, Region

LIGHT, DARK = (255, 236, 64), (0, 0, 0)
FRAMES = {"A": (230, 0, 0), "B": (0, 70, 255)}  # colours named in CV-Bench's questions
SHARE, LEAST = 0.06, 9  # label height: share of the longer side, and minimum in px
_RING = 0.5  # radius of a ring, as a share of the label height
Span = tuple[float, float, float, float]


def label_height(width: int, height: int, share: float = SHARE) -> int:
    """Return the label height in px for an image or canvas of this size."""
    return max(LEAST, round(share * max(width, height)))


def draw_marks(
    image: Image.Image, marks: Sequence[Region], label_px: int | None = None
) -> Image.Image:
    """Return a copy of an image, in RGB, with points and boxes marked on it.

    Points become rings, with their names next to them on the image and as far from other marks as
    possible. Boxes become frames without a name: A red, B blue, others light. Whole images get no
    mark; see :func:`draw_label`. ``label_px`` is the label height in px; None: derived from the
    image's size.
    """
    drawn = image.convert("RGB")
    size = label_px or label_height(*drawn.size)
    pen = ImageDraw.Draw(drawn)
    for mark in marks:
        if mark.shape == BOX:
            _frame(pen, mark, drawn.size, size)
    points = [mark for mark in marks if mark.shape == POINT]
    taken = [_around(mark, size) for mark in points]
    for mark in points:
        _ring(pen, mark, size)
    for mark in filter(lambda mark: mark.name, points):
        place = _place(mark, drawn.size, size, taken)
        taken.append(place)
        _text(pen, mark.name, place, size)
    return drawn


def draw_label(image: Image.Image, name: str, left: float, top: float, label_px: int) -> None:
    """Draw a name on an image in place, with its upper left corner at (left, top)."""
    width, height = _extent(name, label_px)
    _text(ImageDraw.Draw(image), name, (left, top, left + width, top + height), label_px)


def label_size(name: str, label_px: int) -> tuple[int, int]:
    """Return the width and height of a label with its plate."""
    return _extent(name, label_px)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _letters(size: int) -> int:
    """Return the font size at which capitals are as high as a label without its border."""
    return max(8, round((size - 2 * _border(size)) / 0.72))


def _border(size: int) -> int:
    return max(1, round(size / 10))


def _extent(name: str, size: int) -> tuple[int, int]:
    left, top, right, bottom = _font(_letters(size)).getbbox(name)
    return round(right - left) + 2 * _border(size), round(bottom - top) + 2 * _border(size)


def _text(pen: ImageDraw.ImageDraw, name: str, place: Span, size: int) -> None:
    # a plate, because an outline would turn a small C into an O
    font, border = _font(_letters(size)), _border(size)
    left, top = round(place[0]), round(place[1])
    width, height = _extent(name, size)
    pen.rectangle((left, top, left + width - 1, top + height - 1), fill=DARK)
    inked = font.getbbox(name)
    pen.text((left + border - inked[0], top + border - inked[1]), name, LIGHT, font)


def _ring(pen: ImageDraw.ImageDraw, mark: Region, size: int) -> None:
    line, radius = max(1, round(size / 8)), _RING * size
    for extra, colour, width in ((1, DARK, line + 2), (0, LIGHT, line)):
        # a PIL shape includes its last pixel
        edges = [round(v - radius) - extra for v in (mark.left, mark.top)]
        edges += [round(v + radius) + extra - 1 for v in (mark.left, mark.top)]
        pen.ellipse(edges, outline=colour, width=width)


def _frame(pen: ImageDraw.ImageDraw, mark: Region, on: tuple[int, int], size: int) -> None:
    line = max(1, round(size / 5))
    left, top = round(mark.left), round(mark.top)
    right, bottom = round(mark.right) - 1, round(mark.bottom) - 1
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    colour = FRAMES.get(mark.name, LIGHT)
    for grow, ink, width in ((1, DARK, line + 2), (0, colour, line)):
        corners = (max(left - grow, 0), max(top - grow, 0))
        far = (min(right + grow, on[0] - 1), min(bottom + grow, on[1] - 1))
        pen.rectangle((*corners, *far), outline=ink, width=width)


def _around(mark: Region, size: int) -> Span:
    reach = _RING * size + 1
    return mark.left - reach, mark.top - reach, mark.left + reach, mark.top + reach


def _place(mark: Region, on: tuple[int, int], size: int, taken: list[Span]) -> Span:
    """Return the label position with the least area outside the image or over other marks."""
    return min(_places(mark, on, size), key=lambda place: sum(_shared(place, t) for t in taken))


def _places(mark: Region, on: tuple[int, int], size: int) -> Iterator[Span]:
    width, height = _extent(mark.name, size)
    reach = _RING * size + 2
    x, y = mark.left, mark.top
    beside, level = (x + reach, x - reach - width), y - height / 2
    over, middle = (y - reach - height, y + reach), x - width / 2
    slant = 0.75 * reach
    corners = [(x + slant, y - slant - height), (x + slant, y + slant)]
    corners += [(x - slant - width, y - slant - height), (x - slant - width, y + slant)]
    wanted = [(left, level) for left in beside] + [(middle, top) for top in over] + corners
    for x, y in wanted:
        left = min(max(x, 0), max(on[0] - width, 0))
        top = min(max(y, 0), max(on[1] - height, 0))
        yield left, top, left + width, top + height


def _shared(first: Span, second: Span) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0) * max(height, 0)
