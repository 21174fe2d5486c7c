"""Surfaces: material, colours, and patterns of two colours."""

import colorsys
import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from eyechart.core import randomness
from eyechart.rendering.renderer import METAL_ROUGHNESS, decode_srgb

Color = tuple[int, int, int]  # sRGB
PATTERNS = ("plain", "checker", "stripes", "dots", "blotches")
FINISHES = ("rubber", "metal", "gloss")
TEXTURE_PX = 128
GREY: Color = (150, 150, 150)
FLOOR: Color = (194, 194, 194)  # reflectance 0.55, as in the other scenes
DARK: Color = (38, 38, 42)


@dataclass(frozen=True)
class Surface:
    """A surface.

    Attributes
    ----------
    color, second : sRGB bytes; ``second`` is used in patterns only
    finish : one of :data:`FINISHES`
    pattern : one of :data:`PATTERNS`
    cells : repetitions of a pattern along a texture unit
    seed : seed of blotches
    """

    color: Color
    second: Color = DARK
    finish: str = "rubber"
    pattern: str = "plain"
    cells: int = 8
    seed: int = 0


def hue(degrees: float, saturation: float = 0.75, value: float = 0.8) -> Color:
    """Return the colour of a hue on the colour wheel."""
    red, green, blue = colorsys.hsv_to_rgb((degrees % 360) / 360, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def palette(rng: random.Random, count: int) -> list[Color]:
    """Draw colours with evenly spaced hues, in random order."""
    start = rng.uniform(0, 360)
    hues = [start + 360 * i / count + rng.uniform(-90, 90) / count for i in range(count)]
    rng.shuffle(hues)
    return [hue(h, rng.uniform(0.6, 0.95), rng.uniform(0.55, 0.95)) for h in hues]


def texture(surface: Surface) -> np.ndarray:
    """Return a tileable pattern: linear light, float32 (px, px, 3)."""
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


def bsdf(mi: Any, surface: Surface, repeat: float = 1.0) -> dict[str, Any]:
    """Return Mitsuba's description of a material, its pattern repeated in each direction."""
    color: dict[str, Any] = {
        "type": "rgb",
        "value": decode_srgb(np.array(surface.color)).tolist(),
    }
    if surface.pattern != "plain":
        to_uv = mi.ScalarTransform4f().scale([repeat, repeat, 1])
        bitmap = mi.Bitmap(texture(surface))
        color = {"type": "bitmap", "bitmap": bitmap, "raw": True, "to_uv": to_uv}
    if surface.finish == "rubber":
        return {"type": "diffuse", "reflectance": color}
    if surface.finish == "gloss":
        # a plastic would look similar, but takes 0.1 s to load
        return {"type": "principled", "base_color": color, "roughness": 0.25, "specular": 0.6}
    return {
        "type": "roughconductor",
        "material": "none",
        "alpha": METAL_ROUGHNESS,
        "specular_reflectance": color,
    }


def _blotches(surface: Surface) -> np.ndarray:
    """Return tileable smooth noise, thresholded at its median: bool (px, px)."""
    rng = randomness.generator("blotches", surface.seed)
    spectrum = np.fft.fft2(rng.standard_normal((TEXTURE_PX, TEXTURE_PX)))
    frequency = np.fft.fftfreq(TEXTURE_PX, 1 / TEXTURE_PX)
    far = np.hypot(*np.meshgrid(frequency, frequency)) / surface.cells
    field = np.fft.ifft2(spectrum * np.exp(-(far**2))).real
    return field > np.median(field)
