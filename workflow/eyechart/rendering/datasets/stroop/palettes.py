"""Named colours for Stroop images, and the contrast of two colours.

Sources: the 20 names are from the concept search of VLM-Lens, their values from CSS Color Module
Level 4 (as in Pillow); the 8 colours are CLEVR's (Johnson et al. 2017). All values are sRGB, 0 to
255.
"""

from typing import Any

import numpy as np
from PIL import ImageColor

from eyechart.core.errors import UserError, nearest
from eyechart.rendering.scene.materials import decode_srgb
from eyechart.rendering.scene.vocabulary import COLORS

Color = tuple[int, int, int]

VLM_LENS = (
    "red", "blue", "yellow", "green", "orange", "purple", "white", "black", "gray", "silver",
    "gold", "pink", "brown", "beige", "crimson", "maroon", "cyan", "turquoise", "violet",
    "magenta",
)  # fmt: skip
PALETTES: dict[str, dict[str, Color]] = {
    "clevr": COLORS,
    "vlm_lens": {name: ImageColor.getrgb(name)[:3] for name in VLM_LENS},
}
FEWEST = 3  # word, font colour and background are all different


def palette(chosen: str | dict[str, Any], where: str) -> dict[str, Color]:
    """Return colours by name, from a named palette or the user's mapping.

    Raise a UserError if the palette is unknown, a colour is not three integers from 0 to 255, a
    name cannot be a folder name, two colours are equal, or there are fewer than three.

    Parameters
    ----------
    chosen : ``clevr``, ``vlm_lens``, or ``{name: [red, green, blue], …}``
    where : the key in the configuration, for errors
    """
    if isinstance(chosen, str):
        if chosen not in PALETTES:
            raise UserError(f"{where} is {chosen!r}; {nearest(chosen, PALETTES)}")
        return PALETTES[chosen]
    found: dict[str, Color] = {}
    for name, value in chosen.items():
        color = _color(name, value, where)
        twin = next((other for other, rgb in found.items() if rgb == color), None)
        if twin:
            raise UserError(f"{where}.{name} is {value}, which is also {twin!r}")
        found[name] = color
    if len(found) < FEWEST:
        raise UserError(f"{where} has {len(found)} colours, expected at least {FEWEST}")
    return found


def contrast(one: Color, other: Color) -> float:
    """Return the contrast ratio of two colours, from 1 (none) to 21 (black on white).

    Source: WCAG 2.2, "contrast ratio". It depends on lightness only: red on green of equal
    lightness has contrast 1, although it is legible with colour vision.
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(color: Color) -> float:
    """Return the relative luminance of an sRGB colour, 0 to 1 (IEC 61966-2-1)."""
    return float(decode_srgb(np.array(color)) @ (0.2126, 0.7152, 0.0722))


def _color(name: str, value: Any, where: str) -> Color:
    if not name or not all(c.isalnum() or c in " -" for c in name) or name != name.strip():
        raise UserError(f"{where} has the name {name!r}, expected letters, digits, spaces, hyphens")
    whole = isinstance(value, list | tuple) and all(type(channel) is int for channel in value)
    if not whole or len(value) != 3 or not all(0 <= channel <= 255 for channel in value):
        raise UserError(f"{where}.{name} is {value!r}, expected three whole numbers from 0 to 255")
    return value[0], value[1], value[2]
