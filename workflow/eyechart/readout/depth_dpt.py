"""A small depth head over several vision blocks, of the shape of DPT.

Each block's tokens become a map of their own scale (four times as fine as the tokens, twice, as
fine, half), and the maps are fused from coarse to fine.

Source: Ranftl, Bochkovskiy & Koltun 2021, "Vision Transformers for Dense Prediction": reassemble
four stages, fuse with residual convolutions. Smaller here: one width, one residual unit a stage.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

FINEST = 4  # cells along each side of a token
VIEW, ROW, COLUMN, LEFT = 0, 1, 2, 3  # columns of places


@dataclass(frozen=True)
class Grid:
    """The tokens of one view: ``tokens[i]`` stands at row ``i // columns`` of the map."""

    tokens: np.ndarray
    rows: int
    columns: int


class DPT(nn.Module):
    """Depth maps from the token maps of several blocks, shallow to deep."""

    depth: Tensor  # mean and spread of depths, (2,)

    def __init__(self, widths: Sequence[int], width: int):
        super().__init__()
        self.scales = [FINEST * 2.0**-i for i in range(len(widths))]
        self.inputs = nn.ModuleList(nn.Conv2d(d, width, 1) for d in widths)
        self.fuse = nn.ModuleList(Residual(width) for _ in widths)
        self.last = nn.Sequential(
            nn.Conv2d(width, width // 2, 3, padding=1), nn.ReLU(), nn.Conv2d(width // 2, 1, 1)
        )
        for i, d in enumerate(widths):
            self.register_buffer(f"mean_{i}", torch.zeros(d))
            self.register_buffer(f"scale_{i}", torch.ones(d))
        self.register_buffer("depth", torch.tensor([0.0, 1.0]))

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Give depths (b, 4 h, 4 w) from token maps, (b, d, h, w) each."""
        h, w = maps[0].shape[-2:]
        found = None
        for i in reversed(range(len(maps))):
            mean, scale = getattr(self, f"mean_{i}"), getattr(self, f"scale_{i}")
            scaled = (maps[i] - mean[:, None, None]) / scale[:, None, None]
            size = [max(1, round(h * self.scales[i])), max(1, round(w * self.scales[i]))]
            x = interpolate(self.inputs[i](scaled), size=size, mode="bilinear")
            if found is not None:
                x = x + interpolate(found, size=size, mode="bilinear")
            found = self.fuse[i](x)
        depths: Tensor = self.last(found)[:, 0] * self.depth[1] + self.depth[0]
        return depths

    def settle(self, seed: int) -> None:
        """Draw the weights anew, from nothing but a seed."""
        draw = torch.Generator().manual_seed(seed % 2**62)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=draw)
                assert module.bias is not None
                nn.init.zeros_(module.bias)


@dataclass(frozen=True)
class MapHead:
    """A trained head, and the addresses whose tokens it takes."""

    net: DPT
    addresses: list[str]

    def finer(self, places: np.ndarray) -> np.ndarray:
        """Give where the cells lie: see :func:`finer`."""
        return finer(places)

    def __call__(self, tokens: Sequence[np.ndarray], places: np.ndarray) -> np.ndarray:
        """Give the depths of all cells, float64 (16 t,), from tokens (t, d) at each address.

        NaN for the cells of a view without a map.
        """
        cells = np.full(len(places) * FINEST**2, np.nan)
        for grid in grids(places):
            maps = [one[None].float() for one in as_maps(tokens, grid)]
            with torch.inference_mode():
                from_map(self.net(maps)[0].numpy(), grid, cells)
        return cells


class Residual(nn.Module):
    """Two convolutions beside a path that leaves the map as it is."""

    def __init__(self, width: int):
        super().__init__()
        self.one = nn.Conv2d(width, width, 3, padding=1)
        self.two = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Give a map of the same shape."""
        found: Tensor = x + self.two(relu(self.one(relu(x))))
        return found


def grids(places: np.ndarray) -> list[Grid]:
    """Give the views of a picture whose tokens fill a grid; others have no map.

    Parameters
    ----------
    places : ndarray, shape (t, 7)
    """
    found = []
    lying = np.flatnonzero(np.isfinite(places[:, LEFT]))
    for view in np.unique(places[lying, VIEW]):
        own = lying[places[lying, VIEW] == view]
        row, column = places[own, ROW].astype(int), places[own, COLUMN].astype(int)
        row, column = row - row.min(), column - column.min()
        rows, columns = int(row.max()) + 1, int(column.max()) + 1
        at = row * columns + column
        if len(own) == rows * columns == len(np.unique(at)):
            found.append(Grid(own[np.argsort(at)], rows, columns))
    return found


def finer(places: np.ndarray) -> np.ndarray:
    """Give where the 4 x 4 cells of each token lie, token by token, (16 t, 7).

    Cells of a view without a map lie nowhere.
    """
    inside = np.full(places.shape, np.nan)
    for grid in grids(places):
        inside[grid.tokens] = places[grid.tokens]
    cells = np.repeat(inside, FINEST**2, axis=0)
    down, across = np.divmod(np.tile(np.arange(FINEST**2), len(places)), FINEST)
    left, top, right, bottom = cells[:, 3:7].T.copy()
    wide, high = (right - left) / FINEST, (bottom - top) / FINEST
    cells[:, 1] = cells[:, 1] * FINEST + down
    cells[:, 2] = cells[:, 2] * FINEST + across
    x, y = left + across * wide, top + down * high
    cells[:, 3:7] = np.stack([x, y, x + wide, y + high], axis=1)
    return cells


def as_maps(tokens: Sequence[np.ndarray], grid: Grid) -> list[Tensor]:
    """Give a view's tokens, (t, d) at each block, as maps, (d, rows, columns)."""
    return [
        torch.from_numpy(one[grid.tokens].T.reshape(-1, grid.rows, grid.columns)) for one in tokens
    ]


def as_map(cells: np.ndarray, grid: Grid) -> np.ndarray:
    """Give values of all cells, (16 t,), as a view's map, (4 rows, 4 columns)."""
    own = cells.reshape(-1, FINEST, FINEST)[grid.tokens]
    whole = own.reshape(grid.rows, grid.columns, FINEST, FINEST).transpose(0, 2, 1, 3)
    return whole.reshape(grid.rows * FINEST, grid.columns * FINEST)


def from_map(depths: np.ndarray, grid: Grid, cells: np.ndarray) -> None:
    """Put a view's map, (4 rows, 4 columns), into values of all cells, (16 t,)."""
    whole = depths.reshape(grid.rows, FINEST, grid.columns, FINEST).transpose(0, 2, 1, 3)
    cells.reshape(-1, FINEST, FINEST)[grid.tokens] = whole.reshape(-1, FINEST, FINEST)
