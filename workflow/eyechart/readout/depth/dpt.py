"""A small depth head over several vision blocks, similar to DPT.

Each block's tokens become a map with its own scale (for example 4, 2, 1 and 1/2 cells along a
token's side), and the maps are fused from coarse to fine. ``finest`` is the number of cells along a
token's side in the finest map.

Source: Ranftl, Bochkovskiy & Koltun 2021, "Vision Transformers for Dense Prediction": reassemble
four stages and fuse them with residual convolutions. This head is smaller, with one width and one
residual unit per scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

VIEW, ROW, COLUMN, LEFT = 0, 1, 2, 3  # columns of places


@dataclass(frozen=True)
class Grid:
    """The tokens of one view; ``tokens[i]`` is in row ``i // columns`` of the map."""

    tokens: np.ndarray
    rows: int
    columns: int


class DPT(nn.Module):
    """A network that predicts depth maps from the token maps of several blocks, shallow to deep."""

    depth: Tensor  # mean and standard deviation of depths, (2,)

    def __init__(self, widths: Sequence[int], width: int, finest: int):
        super().__init__()
        self.finest = finest
        self.scales = [finest * 2.0**-i for i in range(len(widths))]
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
        """Return depths (b, finest h, finest w) from each block's token maps (b, d, h, w)."""
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

    def init_weights(self, seed: int) -> None:
        """Initialise the weights randomly, with a seed."""
        draw = torch.Generator().manual_seed(seed % 2**62)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=draw)
                assert module.bias is not None
                nn.init.zeros_(module.bias)


@dataclass(frozen=True)
class TrainedMapHead:
    """A trained head, and the addresses whose tokens it reads."""

    net: DPT
    addresses: list[str]

    def cell_places(self, places: np.ndarray) -> np.ndarray:
        """Return the positions of the cells; see :func:`cell_places`."""
        return cell_places(places, self.net.finest)

    def __call__(self, tokens: Sequence[np.ndarray], places: np.ndarray) -> np.ndarray:
        """Return the depths of all cells, float64 (cells,), from tokens (t, d) at each address.

        Cells of a view without a map are NaN.
        """
        cells = np.full((len(places), self.net.finest, self.net.finest), np.nan)
        for grid in grids(places):
            maps = [one[None].float() for one in as_maps(tokens, grid)]
            with torch.inference_mode():
                write_map(self.net(maps)[0].numpy(), grid, cells)
        return cells.ravel()


class Residual(nn.Module):
    """Two convolutions with a residual connection."""

    def __init__(self, width: int):
        super().__init__()
        self.one = nn.Conv2d(width, width, 3, padding=1)
        self.two = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map plus the output of both convolutions, in the same shape."""
        found: Tensor = x + self.two(relu(self.one(relu(x))))
        return found


def grids(places: np.ndarray) -> list[Grid]:
    """Return a grid for each of an image's views whose tokens fill one; other views have no map.

    ``places``: ndarray, shape (t, 7).
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


def cell_places(places: np.ndarray, finest: int) -> np.ndarray:
    """Return the positions (finest^2 t, 7) of each token's cells, by token and then by row.

    Cells of a view without a map have no position.
    """
    inside = np.full(places.shape, np.nan)
    for grid in grids(places):
        inside[grid.tokens] = places[grid.tokens]
    cells = np.repeat(inside, finest**2, axis=0)
    down, across = np.divmod(np.tile(np.arange(finest**2), len(places)), finest)
    left, top, right, bottom = cells[:, 3:7].T.copy()
    width, height = (right - left) / finest, (bottom - top) / finest
    cells[:, 1] = cells[:, 1] * finest + down
    cells[:, 2] = cells[:, 2] * finest + across
    x, y = left + across * width, top + down * height
    cells[:, 3:7] = np.stack([x, y, x + width, y + height], axis=1)
    return cells


def as_maps(tokens: Sequence[np.ndarray], grid: Grid) -> list[Tensor]:
    """Return a view's tokens, (t, d) at each block, as maps (d, rows, columns)."""
    return [
        torch.from_numpy(one[grid.tokens].T.reshape(-1, grid.rows, grid.columns)) for one in tokens
    ]


def as_map(cells: np.ndarray, grid: Grid) -> np.ndarray:
    """Return a view's map from the cells of all tokens, (t, finest, finest)."""
    side = cells.shape[-1]
    whole = cells[grid.tokens].reshape(grid.rows, grid.columns, side, side).transpose(0, 2, 1, 3)
    return whole.reshape(grid.rows * side, grid.columns * side)


def write_map(depths: np.ndarray, grid: Grid, cells: np.ndarray) -> None:
    """Write a view's map into the cells of all tokens, (t, finest, finest)."""
    side = cells.shape[-1]
    whole = depths.reshape(grid.rows, side, grid.columns, side).transpose(0, 2, 1, 3)
    cells[grid.tokens] = whole.reshape(-1, side, side)
