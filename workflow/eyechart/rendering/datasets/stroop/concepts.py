"""Draw concept images for Stroop: images of a colour without any text.

There are three kinds in turn: a plain field, a textured field, and a thing of that colour on a
different background. Shade and brightness vary slightly, so no two images are equal.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from eyechart.rendering.datasets.stroop.palettes import Color

KINDS = ("plain", "textured", "object")
FINE = 2  # supersampling factor of things, for smooth edges
JITTER = 9.0  # out of 255: standard deviation of brightness; a third of it per channel
APART = 70.0  # out of 255: brightness difference between background and thing


def concept_kind(number: int) -> str:
    """Return the kind of the n-th image of a colour."""
    return KINDS[number % len(KINDS)]


def draw_concept(color: Color, kind: str, size: tuple[int, int], rng: Generator) -> np.ndarray:
    """Draw one image of a colour.

    Result: uint8, shape (height, width, 3).

    Parameters
    ----------
    color : sRGB, 0 to 255
    kind : one of :data:`KINDS`
    size : (width, height) px
    """
    shade = _vary(color, rng)
    if kind == "plain":
        image = shade + 14 * (_slope(size, rng)[..., None] - 0.5)
    elif kind == "textured":
        image = shade + 44 * (_texture(size, rng)[..., None] - 0.5)
    else:
        image = _thing(shade, size, rng)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def _vary(color: Color, rng: Generator) -> np.ndarray:
    """Return a slightly varied shade of a colour, float (3,)."""
    moved = np.array(color, float) + rng.normal(0, JITTER) + rng.normal(0, JITTER / 3, 3)
    return np.clip(moved, 0, 255)


def _slope(size: tuple[int, int], rng: Generator) -> np.ndarray:
    """Return a brightness gradient from one side to the other, 0..1 (h, w)."""
    x, y = _mesh(size)
    angle = rng.uniform(0, 2 * np.pi)
    return 0.5 + (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)) / np.sqrt(2)


def _texture(size: tuple[int, int], rng: Generator) -> np.ndarray:
    """Return stripes, checks, dots or clouds, 0..1 (h, w)."""
    x, y = _mesh(size)
    angle, waves, phase = rng.uniform(0, np.pi), rng.uniform(3, 8), rng.uniform(0, 2 * np.pi)
    along = 2 * np.pi * waves * (np.cos(angle) * x + np.sin(angle) * y) + phase
    across = 2 * np.pi * waves * (np.cos(angle) * y - np.sin(angle) * x) + phase
    kind = rng.integers(4)
    if kind == 0:
        return 0.5 + 0.5 * np.tanh(3 * np.sin(along))
    if kind == 1:
        return 0.5 + 0.5 * np.tanh(6 * np.sin(along) * np.sin(across))
    if kind == 2:
        return 0.5 + 0.5 * np.tanh(5 * (np.sin(along) + np.sin(across) - 0.7))
    coarse = Image.fromarray(rng.random((7, 7)).astype(np.float32))
    return np.clip(np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)), 0, 1)


def _thing(shade: np.ndarray, size: tuple[int, int], rng: Generator) -> np.ndarray:
    """Draw a thing in one shade on a background in another, float (h, w, 3)."""
    large = size[0] * FINE, size[1] * FINE
    ground = _ground(shade, large, rng)
    radius = rng.uniform(0.27, 0.36) * min(large)
    middle = tuple(rng.uniform(0.42, 0.58) * side for side in large)
    cover = Image.new("L", large, 0)
    light = FORMS[rng.integers(len(FORMS))](cover, (middle[0], middle[1]), radius, rng)
    share = np.asarray(cover, float)[..., None] / 255
    lit = shade * np.clip(light, 0, 1)[..., None] + 255 * np.clip(light - 1, 0, 1)[..., None]
    fine = ground + share * (lit - ground)  # (FINE h, FINE w, 3)
    return fine.reshape(size[1], FINE, size[0], FINE, 3).mean(axis=(1, 3))


def _ground(shade: np.ndarray, size: tuple[int, int], rng: Generator) -> np.ndarray:
    """Return a faintly tinted floor and wall, darker or lighter than the shade."""
    bright = float(shade @ [0.299, 0.587, 0.114])
    levels = np.arange(35.0, 240.0)
    level = rng.choice(levels[np.abs(levels - bright) > APART])
    tint = rng.normal(0, 1, 3)
    tint *= 16 / np.linalg.norm(tint)
    slope = 24 * (_slope(size, rng)[..., None] - 0.5)
    floor = np.where(_mesh(size)[1] > rng.uniform(0.55, 0.8), -14.0, 0.0)[..., None]
    return level + tint + slope + floor


def _mesh(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of pixel centres as shares of the image, (h, w) each."""
    x, y = ((np.arange(n) + 0.5) / n for n in size)
    return np.broadcast_to(x, (size[1], size[0])), np.broadcast_to(y[:, None], (size[1], size[0]))


Middle = tuple[float, float]


def _ball(cover: Image.Image, at: Middle, radius: float, rng: Generator) -> np.ndarray:
    """Draw a disc, shaded like a ball lit from above left or above right."""
    ImageDraw.Draw(cover).ellipse(_around(at, radius, radius), fill=255)
    x, y = _frame(cover, at, radius)
    z = np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))
    sun = np.array([rng.choice([-0.5, 0.5]), -0.6, 0.62])
    lambert = np.clip(sun[0] * x + sun[1] * y + sun[2] * z, 0, 1)
    return 0.62 + 0.42 * lambert + 0.9 * np.clip(lambert - 0.94, 0, 1) / 0.06 * 0.4


def _cup(cover: Image.Image, at: Middle, radius: float, rng: Generator) -> np.ndarray:
    """Draw a standing cylinder, lit from one side."""
    wide, tall, lid = 0.75 * radius, radius, 0.28 * radius
    pen = ImageDraw.Draw(cover)
    pen.rectangle((at[0] - wide, at[1] - tall, at[0] + wide, at[1] + tall), fill=255)
    pen.ellipse(_around((at[0], at[1] + tall), wide, lid), fill=255)
    pen.ellipse(_around((at[0], at[1] - tall), wide, lid), fill=255)
    x, y = _frame(cover, at, radius)
    side = 0.88 + 0.18 * np.sin(rng.choice([-1.0, 1.0]) * x / 0.75 * np.pi / 2)
    top = (x / 0.75) ** 2 + ((y + 1) / 0.28) ** 2 <= 1
    return np.where(top, 1.06, side)


def _box(cover: Image.Image, at: Middle, radius: float, rng: Generator) -> np.ndarray:
    """Draw a cube seen from a corner, with three differently shaded faces."""
    angles = np.radians(90 + 60 * np.arange(6))
    corners = [(at[0] + radius * np.cos(a), at[1] - radius * np.sin(a)) for a in angles]
    ImageDraw.Draw(cover).polygon([(float(u), float(v)) for u, v in corners], fill=255)
    x, y = _frame(cover, at, radius)
    first, second = rng.permutation([0.94, 0.78])
    top = y < -np.abs(x) / np.sqrt(3)
    return np.where(top, 1.05, np.where(x < 0, first, second))


def _star(cover: Image.Image, at: Middle, radius: float, rng: Generator) -> np.ndarray:
    """Draw a flat star with five or more points and a brightness gradient."""
    points = int(rng.integers(5, 9))
    angles = np.pi * np.arange(2 * points) / points + rng.uniform(0, 2 * np.pi)
    reach = np.where(np.arange(2 * points) % 2, 0.55, 1.05) * radius
    corners = [
        (float(at[0] + r * np.cos(a)), float(at[1] + r * np.sin(a)))
        for a, r in zip(angles, reach, strict=True)
    ]
    ImageDraw.Draw(cover).polygon(corners, fill=255)
    return 0.9 + 0.18 * (_slope(cover.size, rng) - 0.3)


FORMS: tuple[Callable[[Image.Image, Middle, float, Generator], np.ndarray], ...] = (
    _ball,
    _cup,
    _box,
    _star,
)


def _around(at: Middle, wide: float, tall: float) -> tuple[float, float, float, float]:
    return at[0] - wide, at[1] - tall, at[0] + wide, at[1] + tall


def _frame(cover: Image.Image, at: Middle, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y relative to a centre in units of a radius, (h, w) each."""
    x, y = _mesh(cover.size)
    return (x * cover.size[0] - at[0]) / radius, (y * cover.size[1] - at[1]) / radius
