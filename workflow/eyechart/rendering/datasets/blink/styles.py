"""Image styles: palette, pattern, finish, and light.

Two styles differ in palette, in pattern, or in both and finish; image content is drawn
independently. If only the pattern differs, colours reveal little, since every pattern has similar
amounts of both colours.
"""

import math
import random
from dataclasses import asdict, dataclass, replace
from typing import Any

from eyechart.rendering.scene.materials import FINISHES, PATTERNS, Color, Surface, hue
from eyechart.rendering.scene.model import Solid, Thing, Triple

DIFFERENCES = ("palette", "texture", "both")
DRAWN = tuple(pattern for pattern in PATTERNS if pattern != "plain")
HUES_APART = 90.0  # minimum degrees on the colour wheel between two palettes
BODIES = ("block", "ball", "drum", "cone", "arc")


@dataclass(frozen=True)
class DrawingStyle:
    """An image's style: palette, pattern, finish and tint of the light."""

    hue: float  # centre of the palette on the colour wheel, degrees
    contrast: float  # extent of the palette to both sides, degrees
    # pattern, finish, cells: of every surface, see
    # :class:`eyechart.rendering.scene.materials.Surface`
    pattern: str
    finish: str
    cells: int
    tint: Triple  # factor of the light, (R, G, B)

    def facts(self) -> dict[str, Any]:
        """Return the style as JSON-compatible values."""
        return {**asdict(self), "tint": list(self.tint)}

    def colors(self) -> tuple[list[Color], Color]:
        """Return the three colours of things, and the second colour of patterns."""
        steps = (-self.contrast, 0.0, self.contrast)
        return [hue(self.hue + s, 0.8, 0.85) for s in steps], hue(self.hue + 180, 0.15, 0.95)

    def floor(self) -> Surface:
        """Return the floor surface: pale, in the style's pattern."""
        pale, paler = hue(self.hue, 0.25, 0.62), hue(self.hue, 0.2, 0.76)
        return Surface(pale, paler, "rubber", self.pattern, self.cells // 2)


def draw_style(rng: random.Random) -> DrawingStyle:
    """Draw a random style."""
    middle = rng.uniform(0, 360)
    return DrawingStyle(
        hue=round(middle, 3),
        contrast=round(rng.uniform(10, 40), 3),
        pattern=rng.choice(DRAWN),
        finish=rng.choice(FINISHES),
        cells=rng.choice((6, 8)),
        tint=_tint(middle),
    )


def draw_other(rng: random.Random, style: DrawingStyle, difference: str) -> DrawingStyle:
    """Draw a style that differs from another in palette, in pattern, or in both and finish."""
    other = style
    if difference in ("palette", "both"):
        middle = style.hue + rng.uniform(HUES_APART, 360 - HUES_APART)
        other = replace(other, hue=round(middle % 360, 3), tint=_tint(middle))
    if difference in ("texture", "both"):
        other = replace(other, pattern=rng.choice([p for p in DRAWN if p != style.pattern]))
    if difference == "both":
        other = replace(other, finish=rng.choice([f for f in FINISHES if f != style.finish]))
    return other


def draw_contents(rng: random.Random, style: DrawingStyle) -> tuple[Thing, ...]:
    """Draw four or five things around a centre, painted in a style."""
    colors, second = style.colors()
    count = rng.randint(4, 5)
    things = []
    for n in range(count):
        surface = Surface(rng.choice(colors), second, style.finish, style.pattern, style.cells,
                    rng.randrange(2**31))  # fmt: skip
        kind, high, wide = rng.choice(BODIES), rng.uniform(0.35, 0.8), rng.uniform(0.35, 0.55)
        across = high if kind == "arc" else wide
        solid = Solid(kind, (0, 0, high), (across, wide, high), shape=0.35)
        angle, far = 2 * math.pi * (n + rng.uniform(-0.2, 0.2)) / count, rng.uniform(0.75, 1.05)
        at = (round(far * math.cos(angle), 6), round(far * math.sin(angle), 6), 0.0)
        things.append(Thing(kind, {"body": solid}, {"own": surface}, at, rng.uniform(0, 360)))
    return tuple(things)


def _tint(middle: float) -> Triple:
    """Return slightly tinted light, as bright as white."""
    red, green, blue = (0.75 + 0.25 * c / 255 for c in hue(middle, 1.0, 1.0))
    mean = (red + green + blue) / 3
    return round(red / mean, 6), round(green / mean, 6), round(blue / mean, 6)
