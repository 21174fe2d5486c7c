"""Where the patches of an encoder lie in a picture, measured instead of reckoned.

A processor resizes, pads, crops and cuts pictures in its own way. Here it is given a picture whose
colours say where each pixel is; a straight line through what comes out says where each pixel of a
tile came from. A black and a white picture of the same size say how colours were scaled, and which
pixels are padding: those that stay the same.

Within this module a token's place is a row of 8 numbers: view, row, column, left, top, right,
bottom, and whether any of the picture is seen in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

MARGIN = 3  # pixels of the coarser of picture and tile: how far the widest resizing filter reaches
WHOLE = 0.98  # of the difference of white and black: less, and padding is mixed in
EDGE = 0.25  # of a tile's pixel: so near a measured edge must come to be that of the picture
LEAST = 3  # columns that a line is drawn through
STEPS = ((0.7548776662, 0.5698402910), (0.5698402910, 0.7548776662))  # of evenly spread noise
KEPT = 512  # sizes of pictures whose places are kept

Tiles = Sequence[np.ndarray]
Line = tuple[float, float]  # of a tile's edge numbers: place in the picture = first + second * edge


@dataclass(frozen=True)
class Tile:
    """How a tile lies in the picture, and which of its pixels (h, w) show any of it."""

    across: Line
    down: Line
    seen: np.ndarray

    def patches(self, side: int, view: int) -> np.ndarray:
        """Give the places of its patches of so many pixels, row by row: (t, 8)."""
        high, wide = (n // side for n in self.seen.shape)
        row, column = np.divmod(np.arange(high * wide), wide)
        edges = [self.across[0] + self.across[1] * side * (column + k) for k in (0, 1)]
        sills = [self.down[0] + self.down[1] * side * (row + k) for k in (0, 1)]
        cut = self.seen[: high * side, : wide * side].reshape(high, side, wide, side)
        seen = cut.any(axis=(1, 3)).reshape(-1)
        columns = [np.full(len(row), view), row, column, edges[0], sills[0], edges[1], sills[1]]
        return np.stack([*columns, seen], axis=1).astype(np.float64)


def measure(see: Callable[[Image.Image], Tiles], size: tuple[int, int]) -> list[Tile]:
    """Give how the tiles lie that ``see`` makes of a picture of ``size`` (width, height).

    Parameters
    ----------
    see : function of a PIL image
        Gives tiles as arrays (3, h, w), in any scale of colours.
    """
    dark, light = (see(Image.new("RGB", size, (level,) * 3)) for level in (0, 255))
    shown = see(ramp(size))
    full = [
        max(float(np.max(w[c] - b[c])) for b, w in zip(dark, light, strict=True)) for c in (0, 1)
    ]
    found = []
    for tile, black, white in zip(shown, dark, light, strict=True):
        seen = np.all([white[c] - black[c] >= WHOLE * full[c] for c in (0, 1)], axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            x, y = ((tile[c] - black[c]) / (white[c] - black[c]) * size[c] for c in (0, 1))
        across, down = line(x, seen, size[0]), line(y.T, seen.T, size[1])
        found.append(Tile(across, down, white[0] - black[0] > (1 - WHOLE) * full[0]))
    return found


def ramp(size: tuple[int, int]) -> Image.Image:
    """Give a picture whose red says how far to the right a pixel is, and whose green how far down.

    Levels are too few to tell all places apart: evenly spread noise makes up for it on average.
    """
    across, down = ((np.arange(n, dtype=np.float32) + 0.5) / n * 255 for n in size)
    i, j = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)
    channels = []
    for value, (a, b) in zip((across[None, :], down[:, None]), STEPS, strict=True):
        noise = (a * i[None, :] % 1 + b * j[:, None] % 1) % 1
        channels.append(np.minimum(np.floor(value + noise), 255).astype(np.uint8))
    return Image.fromarray(np.stack([*channels, np.zeros_like(channels[0])], axis=2))


def line(places: np.ndarray, seen: np.ndarray, length: int) -> Line:
    """Give the line from a tile's edge numbers to places along one axis of the picture.

    Parameters
    ----------
    places : ndarray, shape (any, n)
        The measured place of each pixel along the axis of n.
    seen : ndarray of bool, of the same shape
        Where the measure is good.
    length : int
        Of the picture along the axis, pixels.
    """
    counts = seen.sum(axis=0)
    columns = np.flatnonzero(counts)
    if not len(columns):
        return np.nan, np.nan
    means = np.where(seen, places, 0).sum(axis=0)[columns] / counts[columns]
    first, last = int(columns[0]), int(columns[-1]) + 1
    exact = length / (last - first)  # if it shows the picture from end to end
    rough = (means[-1] - means[0]) / max(1, len(columns) - 1)
    reach = MARGIN * max(1.0, rough)
    good = (means > reach) & (means < length - reach)
    if good.sum() >= LEAST:
        slope, start = np.polyfit(columns[good] + 0.5, means[good], 1)
        ends = start + slope * first, length - (start + slope * last)
        from_end_to_end = max(map(abs, ends)) < EDGE * slope
    else:  # a picture of a few pixels: filters reach from edge to edge
        good = np.ones_like(good)
        slope, start = np.polyfit(columns + 0.5, means, 1) if len(columns) > 1 else (exact, 0.0)
        from_end_to_end = means[0] <= max(1, rough) and means[-1] >= length - max(1, rough)
    if from_end_to_end:
        slope, start = exact, -exact * first
    return float(start), float(slope)


def views_of(patches: np.ndarray) -> list[np.ndarray]:
    """Give each view's patches (t, 8) as an array (rows, columns, 5): edges, and whether seen."""
    found = []
    for view in range(int(patches[:, 0].max()) + 1):
        own = patches[patches[:, 0] == view]
        row, column = own[:, 1].astype(int), own[:, 2].astype(int)
        laid = np.full((row.max() + 1, column.max() + 1, 5), np.nan)
        laid[row, column] = own[:, 3:]
        found.append(laid)
    return found


def stitch(views: Sequence[np.ndarray], wide: int) -> np.ndarray:
    """Join views of one shape, so many across, to one."""
    rows = [np.concatenate(views[i : i + wide], axis=1) for i in range(0, len(views), wide)]
    return np.concatenate(rows)


def unite(patches: np.ndarray) -> np.ndarray:
    """Give the areas (…, 5) that patches (…, k, 5) have together; NaN counts for nothing."""
    if not patches.shape[-2]:
        return np.full((*patches.shape[:-2], 5), np.nan)
    low = np.fmin.reduce(patches[..., :2], axis=-2)
    high = np.fmax.reduce(patches[..., 2:], axis=-2)
    return np.concatenate([low, high], axis=-1)


def merge(view: np.ndarray, side: int) -> np.ndarray:
    """Unite square blocks of patches of a view; blocks at its end may be smaller."""
    high, wide = (-(-n // side) * side for n in view.shape[:2])
    whole = np.full((high, wide, 5), np.nan)
    whole[: view.shape[0], : view.shape[1]] = view
    blocks = whole.reshape(high // side, side, wide // side, side, 5).swapaxes(1, 2)
    return unite(blocks.reshape(high // side, wide // side, side * side, 5))


def on_grid(grid: np.ndarray, views: Sequence[np.ndarray]) -> np.ndarray:
    """Give the places (t, 8) of tokens of which a grid (t, 3) says view, row and column."""
    found = np.full((len(grid), 8), np.nan)
    found[:, :3] = grid
    for n in np.flatnonzero(grid[:, 1] >= 0):
        view, row, column = grid[n]
        found[n, 3:] = views[view][row, column]
    return found


def finish(tokens: np.ndarray) -> np.ndarray:
    """Give places as extraction keeps them: float32 (t, 7); -1 and NaN for what lies nowhere."""
    found = tokens[:, :7].astype(np.float32)
    nowhere = ~(tokens[:, 7] > 0) | np.isnan(tokens[:, 3:7]).any(axis=1)
    found[nowhere, 1:3] = -1
    found[nowhere, 3:] = np.nan
    return found
