"""An item's image overlaid with maps of its tokens, and with outlined regions."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eyechart.data.open_image import open_image
from eyechart.tables.regions import POINT, Region

# viridis (Smith and van der Walt 2015): even steps of lightness for any colour vision
VIRIDIS = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e",
           "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"]  # fmt: skip
REACH = 3  # the colours range from 2 ** -REACH to 2 ** REACH times uniform attention
# RdBu (Brewer, colorbrewer2.org), from less to more: also safe for any colour vision
DIVERGING = ["#2166ac", "#67a9cf", "#d1e5f0", "#f7f7f7", "#fddbc7", "#ef8a62", "#b2182b"]
SHOWS = 0.35  # weight of the image that shows through the map
GREY_SHARE = 0.6  # how much the image under a map is turned grey, so that hues come from the map
GAP, HEAD, BAR, NOTE = 10, 22, 12, 18  # px: between panels, titles, colour bar, its labels
SMALLEST = 260  # minimum width of a panel in px
INK, PAPER = (27, 31, 36), (255, 255, 255)


@dataclass(frozen=True)
class Picture:
    """One image of an item, and the regions marked on it."""

    item: dict[str, Any]  # its row of items.parquet
    number: int  # index of the image within the item, from 0
    image: Path  # path of the image
    regions: list[Region]  # size of that image
    roles: dict[str, str]  # by region name


P = TypeVar("P", bound=Picture)


def in_turn(examples: Sequence[P], most: int) -> list[P]:
    """Return some examples: the first of each task, then the second of each, and so on."""
    seen: Counter[str] = Counter()
    ranked = []
    for position, one in enumerate(examples):
        ranked.append((seen[one.item["task"]], position, one))
        seen[one.item["task"]] += 1
    return [one for _, _, one in sorted(ranked, key=lambda r: r[:2])[:most]]


def relative(
    attention: np.ndarray, places: np.ndarray, of: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """Return the attention to each pixel relative to uniform attention.

    Arguments: see :func:`per_token`. Result: float64, shape (height, width); NaN where there is no
    token.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return per_token(attention, places, of, size) / float(np.mean(attention))


def per_token(
    values: np.ndarray, places: np.ndarray, of: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """Return the value of the token over each pixel.

    If several tokens cover a pixel (tiles, and the whole image in addition), all count, each spread
    over its own area. Result: float64, shape (height, width); NaN where there is no token.

    Parameters
    ----------
    values : ndarray, shape (t,)
    places : ndarray, float32, shape (t, 7)
    of : (width, height) of the image to which places refer
    size : (width, height) of the drawing
    """
    found, tokens = np.zeros(size[::-1]), np.zeros(size[::-1])
    zoom = np.array([size[0] / of[0], size[1] / of[1]] * 2)
    for value, place in zip(values, places, strict=True):
        if np.isnan(place[3]):
            continue
        left, top, right, bottom = np.round(place[3:7] * zoom).astype(int)
        here = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
        area = max(1, (right - left) * (bottom - top))
        found[here] += value / area
        tokens[here] += 1 / area
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(tokens > 0, found / tokens, np.nan)


@dataclass(frozen=True)
class Scale:
    """The drawing of maps: the value and the colour of each pixel.

    Attributes
    ----------
    pixels : function from token values to pixel values, such as :func:`per_token`
    place : function from values to positions on the colour scale, from 0 to 1
    colors : the colours in even steps
    notes : labels of the first, the middle and the last colour
    """

    pixels: Callable[[np.ndarray, np.ndarray, tuple[int, int], tuple[int, int]], np.ndarray]
    place: Callable[[np.ndarray], np.ndarray]
    colors: Sequence[str]
    notes: tuple[str, str, str]


def _by_logarithm(times: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return (np.clip(np.log2(times), -REACH, REACH) + REACH) / (2 * REACH)


UNIFORM = Scale(
    relative,
    _by_logarithm,
    VIRIDIS,
    (f"1/{2**REACH} or less", "1", f"{2**REACH} times uniform or more"),
)


def change(most: float) -> Scale:
    """Return the scale of differences per token, with colours from minus ``most`` to ``most``."""

    def place(values: np.ndarray) -> np.ndarray:
        return np.clip(values / most, -1, 1) / 2 + 0.5

    return Scale(per_token, place, DIVERGING, (f"-{most:.2g} or less", "0", f"+{most:.2g} or more"))


def over_image(
    example: Picture,
    panels: Sequence[tuple[str, np.ndarray, np.ndarray]],
    width: int,
    scale: Scale = UNIFORM,
) -> Image.Image:
    """Draw an image, the same image under each map of its tokens, and the colour bar.

    Parameters
    ----------
    panels : title, value of each token, and boxes of the tokens
    width : width of each panel in pixels; wider images are shrunk
    """
    image = open_image(example.image)
    zoom = width / image.width
    size = (width, max(1, round(image.height * zoom)))
    plain = image.resize(size, Image.Resampling.LANCZOS)
    several = f", image {example.number + 1}" if len(example.item["images"]) > 1 else ""
    drawn = [(f"{example.item['item_id']}{several}", plain)]
    for title, values, places in panels:
        pixels = scale.pixels(values, places, image.size, size)
        drawn.append((title, laid_over(plain, pixels, scale)))
    for _, panel in drawn:
        mark(panel, example.regions, example.roles, zoom)
    return joined(drawn, size, scale)


def laid_over(image: Image.Image, values: np.ndarray, scale: Scale = UNIFORM) -> Image.Image:
    """Overlay a map on an image; areas without tokens are only whitened."""
    pixels = np.asarray(image, dtype=np.float64)
    light = pixels @ np.array([0.299, 0.587, 0.114])
    dull = (1 - GREY_SHARE) * pixels + GREY_SHARE * light[:, :, None]
    seen = np.isfinite(values)
    over = np.where(seen[:, :, None], colors(np.where(seen, values, 1), scale), 255.0)
    mixed = SHOWS * dull + (1 - SHOWS) * over
    return Image.fromarray(np.clip(np.round(mixed), 0, 255).astype(np.uint8))


def colors(values: np.ndarray, scale: Scale = UNIFORM) -> np.ndarray:
    """Return the colour of each value, (..., 3) from 0 to 255; ratios are coloured by logarithm."""
    return _mixed(scale.place(values), scale)


def _mixed(place: np.ndarray, scale: Scale) -> np.ndarray:
    steps = [[int(c[n : n + 2], 16) for n in (1, 3, 5)] for c in scale.colors]
    table, at = np.array(steps, dtype=float), np.linspace(0, 1, len(steps))
    return np.stack([np.interp(place, at, table[:, k]) for k in range(3)], axis=-1)


def mark(
    image: Image.Image, regions: Sequence[Region], roles: dict[str, str], scale: float
) -> None:
    """Outline regions in white with a black border; the right choice has a thick line."""
    draw = ImageDraw.Draw(image)
    for region in regions:
        right = roles.get(region.name) == "right"
        wide = 3 if right else 1
        corners = [scale * v for v in region[2:]]
        if region.shape == POINT:
            reach = 8 if right else 6
            corners = [
                corners[0] - reach,
                corners[1] - reach,
                corners[0] + reach,
                corners[1] + reach,
            ]
        outline = draw.ellipse if region.shape == POINT else draw.rectangle
        halo = [corners[0] - 1, corners[1] - 1, corners[2] + 1, corners[3] + 1]
        outline(halo, outline=INK, width=wide + 2)
        outline(corners, outline=PAPER, width=wide)
        text = f"{region.name} (right)" if right else region.name
        place = _label_place(draw, text, corners, image.size)
        draw.text(place, text, fill=PAPER, stroke_fill=INK, stroke_width=2, font=_font(13))


def joined(
    panels: Sequence[tuple[str, Image.Image]], size: tuple[int, int], scale: Scale = UNIFORM
) -> Image.Image:
    """Arrange titled panels side by side above a colour bar."""
    width = len(panels) * (size[0] + GAP) - GAP
    height = HEAD + size[1] + GAP + BAR + NOTE
    whole = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(whole)
    for n, (title, panel) in enumerate(panels):
        x = n * (size[0] + GAP)
        draw.text((x, 2), _fit(draw, title, size[0]), fill=INK, font=_font(13))
        whole.paste(panel, (x, HEAD))
    if len(panels) > 1:
        place = size[0] + GAP, HEAD + size[1] + GAP
        _bar(whole, place, min(300, width - size[0] - GAP), scale)
    return whole


def _bar(whole: Image.Image, place: tuple[int, int], width: int, scale: Scale) -> None:
    x, y = place
    mixed = SHOWS * 200 + (1 - SHOWS) * _mixed(np.linspace(0, 1, width), scale)
    row = np.round(mixed).astype(np.uint8)
    whole.paste(Image.fromarray(np.repeat(row[None], BAR, axis=0)), (x, y))
    draw = ImageDraw.Draw(whole)
    low, middle, high = scale.notes
    font = _font(11)
    draw.text((x, y + BAR + 2), low, fill=INK, font=font)
    draw.text((x + width / 2, y + BAR + 2), middle, fill=INK, font=font, anchor="ma")
    draw.text((x + width, y + BAR + 2), high, fill=INK, font=font, anchor="ra")


def _label_place(
    draw: ImageDraw.ImageDraw, text: str, corners: Sequence[float], size: tuple[int, int]
) -> tuple[float, float]:
    """Return the position of a region's name: above it, or below it if there is no space."""
    wide = draw.textlength(text, font=_font(13)) + 4
    x = min(max(2, corners[0]), max(2, size[0] - wide))
    above = corners[1] - 18
    return x, above if above >= 0 else min(corners[3] + 3, size[1] - 17)


def _fit(draw: ImageDraw.ImageDraw, text: str, width: int) -> str:
    while len(text) > 1 and draw.textlength(text, font=_font(13)) > width:
        text = text[:-2] + "…"
    return text


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
