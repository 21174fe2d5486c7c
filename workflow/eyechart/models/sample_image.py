"""Draw a sample image as a model sees it, with its image tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from eyechart.models.families.base import Adapter
from eyechart.models.families.image_tokens import PreparedImage

SIZE = (480, 320)  # width and height in pixels, as in CLEVR
LONG_SIDE = 360  # of a drawn view, pixels
GAP = 12
LINE, PAPER, INK = (255, 60, 60), (255, 255, 255), (40, 40, 40)


def draw_sample() -> Image.Image:
    """Return an image without symmetry, so that orientation and scale are visible."""
    image = Image.new("RGB", SIZE, (190, 190, 190))
    pen = ImageDraw.Draw(image)
    pen.rectangle([0, 0, SIZE[0], 110], fill=(150, 180, 215))
    pen.ellipse([50, 120, 190, 260], fill=(190, 60, 50))
    pen.rectangle([260, 60, 350, 150], fill=(60, 110, 190))
    pen.polygon([(390, 290), (430, 200), (470, 290)], fill=(70, 150, 80))
    for i in range(9):
        pen.line([20 + 50 * i, 300, 20 + 50 * i, 310 + i], fill=(0, 0, 0), width=2)
    return image


def draw_views(adapter: Adapter, image: Image.Image, prepared: PreparedImage) -> Image.Image:
    """Return all views of an image side by side, with every image token outlined."""
    grid = adapter.grid(prepared)
    grid = grid[grid[:, 1] >= 0]
    views = sorted(set(grid[:, 0].tolist())) or [0]
    tiles = tiles_of(prepared)
    shown = []
    for n, view in enumerate(views):
        own = grid[grid[:, 0] == view]
        rows, columns = (int(own[:, k].max()) + 1 if len(own) else 0 for k in (1, 2))
        whole = tiles[n] if len(tiles) == len(views) else image
        shown.append(_ruled(whole, rows, columns))
    height = max(v.height for v in shown)
    sheet = Image.new("RGB", (sum(v.width + GAP for v in shown) - GAP, height), PAPER)
    left = 0
    for v in shown:
        sheet.paste(v, (left, 0))
        left += v.width + GAP
    return sheet


def tiles_of(image: PreparedImage) -> list[Image.Image]:
    """Return an encoder's input tiles as images, or none if it takes flattened patches."""
    pixels: Any = image.inputs.get("pixel_values", image.inputs.get("image_pixel_values"))
    if pixels is None or pixels.ndim < 4 or pixels.shape[-3] != 3:
        return []
    found = []
    for tile in pixels.reshape(-1, *pixels.shape[-3:]).float().numpy():
        low, high = tile.min(), tile.max()
        levels = (tile - low) / max(high - low, 1e-6) * 255
        found.append(Image.fromarray(np.moveaxis(levels, 0, 2).astype(np.uint8)))
    return found


def _ruled(image: Image.Image, rows: int, columns: int) -> Image.Image:
    """Return a scaled view with grid lines between tokens; without a grid, no lines."""
    across, down = (columns, rows) if rows and columns else image.size
    scale = LONG_SIDE / max(across, down)
    size = (max(1, round(across * scale)), max(1, round(down * scale)))
    drawn = image.resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(drawn)
    for n in range(1, columns if rows else 0):
        pen.line([size[0] * n / columns, 0, size[0] * n / columns, size[1]], fill=LINE)
    for n in range(1, rows if columns else 0):
        pen.line([0, size[1] * n / rows, size[0], size[1] * n / rows], fill=LINE)
    return drawn
