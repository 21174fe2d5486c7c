"""Draw the marks of BLINK's correspondence tasks: red rings with labels."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eyechart.rendering.points import Spot

FINER = 4  # supersampling factor of labels
RED, WHITE = (225, 20, 20), (255, 255, 255)
RADIUS, LINE, LETTER = 0.042, 0.018, 0.12  # shares of the shorter side: ring radius, line, text


def mark(image: np.ndarray, spots: dict[str, Spot]) -> np.ndarray:
    """Draw a ring around every point, with the point's name next to it.

    Result: uint8 (h, w, 3).

    Parameters
    ----------
    image : uint8 (h, w, 3)
    spots : name -> x and y in pixels, continuous
    """
    height, width = image.shape[:2]
    side = min(height, width)
    shown = image.astype(np.float64)
    line = max(LINE * side, 1.0)
    for spot in spots.values():
        for line_width, color in ((2.2 * line, WHITE), (line, RED)):
            share = _ring(spot, RADIUS * side, line_width, (height, width))
            shown = shown * (1 - share) + share * np.array(color, dtype=np.float64)
    return (_labelled(shown, spots, line) + 0.5).astype(np.uint8)


def _ring(spot: Spot, radius: float, line_width: float, size: tuple[int, int]) -> np.ndarray:
    """Return the coverage of every pixel by a ring: float (h, w, 1)."""
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    away = np.abs(np.hypot(columns - spot[0], rows - spot[1]) - radius)
    return np.clip(line_width / 2 + 0.5 - away, 0, 1)[..., None]


def _labelled(image: np.ndarray, spots: dict[str, Spot], line: float) -> np.ndarray:
    """Draw every name next to its point, supersampled."""
    height, width = image.shape[:2]
    canvas = Image.new("RGBA", (width * FINER, height * FINER))
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(LETTER * min(canvas.size))
    taken = [(x * FINER, y * FINER) for x, y in spots.values()]
    for name, (x, y) in spots.items():
        place = _label_position((x * FINER, y * FINER), _extent(font, name), taken, canvas.size)
        pen.text(
            place, name, font=font, fill=RED, anchor="mm", stroke_width=round(line * FINER),
            stroke_fill=WHITE,
        )  # fmt: skip
        taken.append(place)
    layer = np.asarray(canvas, dtype=np.float64).reshape(height, FINER, width, FINER, 4)
    share = layer[..., 3:].mean(axis=(1, 3)) / 255
    paint = (layer[..., :3] * layer[..., 3:] / 255).mean(axis=(1, 3))
    return image * (1 - share) + paint


def _extent(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, name: str) -> tuple[float, float]:
    left, top, right, bottom = font.getbbox(name)
    return right - left, bottom - top


def _label_position(
    middle: Spot, extent: tuple[float, float], taken: list[Spot], size: tuple[int, int]
) -> Spot:
    """Return a label's position: inside the image, as far as possible from all other marks."""
    reach = RADIUS * min(size)
    across, down = 1.5 * reach + extent[0] / 2, 1.4 * reach + extent[1] / 2
    corners = [(across * x, down * y) for x in (-0.8, 0.8) for y in (-0.8, 0.8)]
    places = [(across, 0.0), (-across, 0.0), (0.0, -down), (0.0, down), *corners]
    others = [spot for spot in taken if spot != middle]

    def score(place: Spot) -> float:
        edge = min(
            min(p - e / 2, s - p - e / 2) for p, e, s in zip(place, extent, size, strict=True)
        )
        near = min((math.dist(place, spot) for spot in others), default=math.inf)
        return min(near, 3 * reach) + 100 * min(edge, 0)

    return max(((middle[0] + x, middle[1] + y) for x, y in places), key=score)
