"""Surfaces: material, colours, and patterns of two colours; linear light and sRGB."""

import colorsys
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eyechart.core import randomness

Color = tuple[float, float, float]  # sRGB, 0 to 255
PATTERNS = ("plain", "checker", "stripes", "dots", "blotches")
FINISHES = ("rubber", "metal", "gloss")
TEXTURE_PX, TEXT_PX = 128, 64
GREY: Color = (150, 150, 150)
FLOOR: Color = (194, 194, 194)
DARK: Color = (38, 38, 42)


@dataclass(frozen=True)
class Surface:
    """The look of a surface: colours, finish, and pattern or letter."""

    # color, second: sRGB, 0 to 255; ``second`` is only used in patterns
    color: Color
    second: Color = DARK
    finish: str = "rubber"  # one of :data:`FINISHES`
    pattern: str = "plain"  # one of :data:`PATTERNS`
    cells: int = 8  # repetitions of a pattern per texture unit
    seed: int = 0  # seed of blotches
    text: str = ""  # one letter, black on white, instead of a pattern


def hue(degrees: float, saturation: float = 0.75, value: float = 0.8) -> Color:
    """Return the sRGB colour with a hue (degrees), saturation and value, 0 to 255."""
    red, green, blue = colorsys.hsv_to_rgb((degrees % 360) / 360, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def palette(rng: random.Random, count: int) -> list[Color]:
    """Draw colours with evenly spaced hues, in random order."""
    start = rng.uniform(0, 360)
    hues = [start + 360 * i / count + rng.uniform(-90, 90) / count for i in range(count)]
    rng.shuffle(hues)
    return [hue(h, rng.uniform(0.6, 0.95), rng.uniform(0.55, 0.95)) for h in hues]


def texture(surface: Surface) -> np.ndarray:
    """Return a tileable pattern, or a letter: linear light, float32 (px, px, 3)."""
    if surface.text:
        return draw_text(surface.text)
    px = (np.arange(TEXTURE_PX) + 0.5) / TEXTURE_PX * surface.cells
    u, v = np.meshgrid(px, px)
    drawn = {
        "checker": lambda: (np.floor(u) + np.floor(v)) % 2,
        "stripes": lambda: np.floor(2 * v) % 2,
        "dots": lambda: np.hypot(u % 1 - 0.5, v % 1 - 0.5) < 0.4,  # half of the area
        "blotches": lambda: _blotches(surface),
    }[surface.pattern]()
    colors = decode_srgb(np.array([surface.color, surface.second]))  # (2, 3)
    return colors[drawn.astype(int)].astype(np.float32)


def decode_srgb(values: np.ndarray) -> np.ndarray:
    """Return sRGB bytes as linear light in 0..1 (IEC 61966-2-1)."""
    v = np.asarray(values, dtype=np.float64) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    """Return linear light, clipped to 0..1, as sRGB bytes (IEC 61966-2-1)."""
    v = np.clip(np.asarray(linear, dtype=np.float64), 0, 1)
    encoded = np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)
    return (encoded * 255 + 0.5).astype(np.uint8)


def draw_text(text: str) -> np.ndarray:
    """Return black capitals that fill a white square: float32 (px, px, 3), linear light 0..1."""
    image = Image.new("L", (TEXT_PX, TEXT_PX), 255)
    font = ImageFont.load_default(size=1.2 * TEXT_PX)
    left, top, right, bottom = font.getbbox(text, stroke_width=2)
    corner = ((TEXT_PX - left - right) / 2, (TEXT_PX - top - bottom) / 2)
    ImageDraw.Draw(image).text(corner, text, fill=0, font=font, stroke_width=2)
    # the renderer counts texture rows from the bottom
    light = np.asarray(image, dtype=np.float32)[::-1, :, None] / 255 * 0.9 + 0.02
    return np.ascontiguousarray(np.broadcast_to(light, (TEXT_PX, TEXT_PX, 3)))


def _blotches(surface: Surface) -> np.ndarray:
    """Return tileable smooth noise, thresholded at its median: bool (px, px)."""
    rng = randomness.generator("blotches", surface.seed)
    spectrum = np.fft.fft2(rng.standard_normal((TEXTURE_PX, TEXTURE_PX)))
    frequency = np.fft.fftfreq(TEXTURE_PX, 1 / TEXTURE_PX)
    far = np.hypot(*np.meshgrid(frequency, frequency)) / surface.cells
    field = np.fft.ifft2(spectrum * np.exp(-(far**2))).real
    return field > np.median(field)
