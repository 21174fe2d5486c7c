"""Which rows of a source show pictures whose depth is known, and how deep their tokens are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from eyechart.errors import UserError
from eyechart.readout.depth_targets import Picture, mean_depths, read_depths
from eyechart.readout.plans import LEFT
from eyechart.readout.sources import Source
from eyechart.tables.parquet import read_table

FOUND = 64  # depth maps kept in memory at a time


class Known:
    """Depth maps of the rows of one source.

    Attributes
    ----------
    source : Source
    pictures : dict of dict of Picture
        For ``train`` and ``test``, by row.
    """

    def __init__(self, source: Source, pictures: dict[str, dict[int, Picture]]):
        self.source, self.pictures = source, pictures
        self._means: dict[tuple[str, int], np.ndarray] = {}

    def anywhere(self, room: str) -> bool:
        """Give whether tokens of a room lie anywhere."""
        return any(np.isfinite(one[:, LEFT]).any() for one in self.source.places(room))

    def means(self, room: str, part: str, row: int) -> np.ndarray:
        """Give the mean known depth of each token of a row, (t,); NaN: unknown."""
        if (room, row) not in self._means:
            places = self.source.places(room)[row]
            self._means[room, row] = self.cells(part, row, places)
        return self._means[room, row]

    def cells(self, part: str, row: int, places: np.ndarray) -> np.ndarray:
        """Give the mean known depth of any areas of a row's picture, (t,); NaN: unknown."""
        return mean_depths(_read(self.pictures[part][row]), places)


@cache
def _read(picture: Picture) -> np.ndarray:
    return read_depths(picture)
