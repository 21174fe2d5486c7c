"""Measure which part of an image each patch of an encoder covers.

Every processor resizes, pads, crops and tiles images in its own way. Here it processes an image
whose colours encode pixel coordinates; a line fitted to its output gives the origin of each pixel
of a tile. A black and a white image of the same size give the scale of the colours, and the
padding, whose pixels are equal in both.

In this module, a token's box is a row of 8 numbers: view, row, column, left, top, right, bottom,
and whether it shows any of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

MARGIN = 3  # coarser of image and tile pixels; the reach of the widest resizing filter
WHOLE = 0.98  # of the difference between white and black; below this, padding is mixed in
EDGE = 0.25  # pixels of a tile; a measured edge this close to the image's edge is set to it
LEAST = 3  # minimum number of columns for a line fit
STEPS = ((0.7548776662, 0.5698402910), (0.5698402910, 0.7548776662))  # of low-discrepancy noise
KEPT = 512  # number of image sizes whose boxes are cached

Tiles = Sequence[np.ndarray]
Line = tuple[float, float]  # image coordinate = first + second * edge number of the tile


@dataclass(frozen=True)
class Tile:
    """The map from a tile to image coordinates, and which of its pixels (h, w) show the image."""

    across: Line
    down: Line
    visible: np.ndarray

    def patches(self, side: int, view: int) -> np.ndarray:
        """Return the boxes (t, 8) of the tile's patches of ``side`` pixels, row by row."""
        high, wide = (n // side for n in self.visible.shape)
        row, column = np.divmod(np.arange(high * wide), wide)
        edges = [self.across[0] + self.across[1] * side * (column + k) for k in (0, 1)]
        sills = [self.down[0] + self.down[1] * side * (row + k) for k in (0, 1)]
        cut = self.visible[: high * side, : wide * side].reshape(high, side, wide, side)
        visible = cut.any(axis=(1, 3)).reshape(-1)
        columns = [np.full(len(row), view), row, column, edges[0], sills[0], edges[1], sills[1]]
        return np.stack([*columns, visible], axis=1).astype(np.float64)


def measure(see: Callable[[Image.Image], Tiles], size: tuple[int, int]) -> list[Tile]:
    """Return the tiles that ``see`` returns for an image of ``size`` (width, height).

    ``see``: function from a PIL image to tiles, arrays (3, h, w) in any colour scale.
    """
    dark, light = (see(Image.new("RGB", size, (level,) * 3)) for level in (0, 255))
    shown = see(ramp(size))
    full = [
        max(float(np.max(w[c] - b[c])) for b, w in zip(dark, light, strict=True)) for c in (0, 1)
    ]
    found = []
    for tile, black, white in zip(shown, dark, light, strict=True):
        visible = np.all([white[c] - black[c] >= WHOLE * full[c] for c in (0, 1)], axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            x, y = ((tile[c] - black[c]) / (white[c] - black[c]) * size[c] for c in (0, 1))
        across, down = line(x, visible, size[0]), line(y.T, visible.T, size[1])
        found.append(Tile(across, down, white[0] - black[0] > (1 - WHOLE) * full[0]))
    return found


def ramp(size: tuple[int, int]) -> Image.Image:
    """Return an image whose red channel encodes x and whose green channel encodes y.

    256 levels cannot encode all coordinates; low-discrepancy noise compensates on average.
    """
    across, down = ((np.arange(n, dtype=np.float32) + 0.5) / n * 255 for n in size)
    i, j = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)
    channels = []
    for value, (a, b) in zip((across[None, :], down[:, None]), STEPS, strict=True):
        noise = (a * i[None, :] % 1 + b * j[:, None] % 1) % 1
        channels.append(np.minimum(np.floor(value + noise), 255).astype(np.uint8))
    return Image.fromarray(np.stack([*channels, np.zeros_like(channels[0])], axis=2))


def line(places: np.ndarray, visible: np.ndarray, length: int) -> Line:
    """Fit the line from a tile's edge numbers to coordinates along one axis of the image.

    Parameters
    ----------
    places : ndarray, shape (any, n); each pixel's measured coordinate along the axis of length n
    visible : ndarray of bool, of the same shape; where the measurement is valid
    length : length of the image along the axis, pixels
    """
    counts = visible.sum(axis=0)
    columns = np.flatnonzero(counts)
    if not len(columns):
        return np.nan, np.nan
    means = np.where(visible, places, 0).sum(axis=0)[columns] / counts[columns]
    first, last = int(columns[0]), int(columns[-1]) + 1
    exact = length / (last - first)  # if the tile shows the image from end to end
    rough = (means[-1] - means[0]) / max(1, len(columns) - 1)
    reach = MARGIN * max(1.0, rough)
    good = (means > reach) & (means < length - reach)
    if good.sum() >= LEAST:
        slope, start = np.polyfit(columns[good] + 0.5, means[good], 1)
        ends = start + slope * first, length - (start + slope * last)
        from_end_to_end = max(map(abs, ends)) < EDGE * slope
    else:  # an image of a few pixels, where filters reach from edge to edge
        good = np.ones_like(good)
        slope, start = np.polyfit(columns + 0.5, means, 1) if len(columns) > 1 else (exact, 0.0)
        from_end_to_end = means[0] <= max(1, rough) and means[-1] >= length - max(1, rough)
    if from_end_to_end:
        slope, start = exact, -exact * first
    return float(start), float(slope)


def views_of(patches: np.ndarray) -> list[np.ndarray]:
    """Return the patches (t, 8) by view, as (rows, columns, 5): four edges, and whether shown."""
    found = []
    for view in range(int(patches[:, 0].max()) + 1):
        own = patches[patches[:, 0] == view]
        row, column = own[:, 1].astype(int), own[:, 2].astype(int)
        laid = np.full((row.max() + 1, column.max() + 1, 5), np.nan)
        laid[row, column] = own[:, 3:]
        found.append(laid)
    return found


def stitch(views: Sequence[np.ndarray], wide: int) -> np.ndarray:
    """Join views of the same shape into one, with ``wide`` views per row."""
    rows = [np.concatenate(views[i : i + wide], axis=1) for i in range(0, len(views), wide)]
    return np.concatenate(rows)


def unite(patches: np.ndarray) -> np.ndarray:
    """Return the bounding boxes (…, 5) of patches (…, k, 5), ignoring NaN."""
    if not patches.shape[-2]:
        return np.full((*patches.shape[:-2], 5), np.nan)
    low = np.fmin.reduce(patches[..., :2], axis=-2)
    high = np.fmax.reduce(patches[..., 2:], axis=-2)
    return np.concatenate([low, high], axis=-1)


def merge(view: np.ndarray, side: int) -> np.ndarray:
    """Merge square blocks of a view's patches; blocks at the end may be smaller."""
    high, wide = (-(-n // side) * side for n in view.shape[:2])
    whole = np.full((high, wide, 5), np.nan)
    whole[: view.shape[0], : view.shape[1]] = view
    blocks = whole.reshape(high // side, side, wide // side, side, 5).swapaxes(1, 2)
    return unite(blocks.reshape(high // side, wide // side, side * side, 5))


def on_grid(grid: np.ndarray, views: Sequence[np.ndarray]) -> np.ndarray:
    """Return the boxes (t, 8) of tokens with grid positions (t, 3): view, row and column."""
    found = np.full((len(grid), 8), np.nan)
    found[:, :3] = grid
    for n in np.flatnonzero(grid[:, 1] >= 0):
        view, row, column = grid[n]
        found[n, 3:] = views[view][row, column]
    return found


def finish(tokens: np.ndarray) -> np.ndarray:
    """Return boxes as stored, float32 (t, 7); -1 and NaN mean that a token has no position."""
    found = tokens[:, :7].astype(np.float32)
    nowhere = ~(tokens[:, 7] > 0) | np.isnan(tokens[:, 3:7]).any(axis=1)
    found[nowhere, 1:3] = -1
    found[nowhere, 3:] = np.nan
    return found
