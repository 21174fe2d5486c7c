"""Which rows of a source show pictures whose depth is known, and how deep their tokens are."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from eyechart.core.errors import UserError
from eyechart.readout.depth.targets import DepthImage, mean_depths, read_depths
from eyechart.readout.tokens import ActivationSource
from eyechart.tables.parquet import read_table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """The rows of a source whose pictures have depth maps.

    Attributes
    ----------
    train, test : dict of DepthImage
        By row, in the order of rows.
    depths : dict of dict of ndarray
        By stage, then row: the mean known depth of each token, float32 (t,); NaN: unknown.
    """

    train: dict[int, DepthImage]
    test: dict[int, DepthImage]
    depths: dict[str, dict[int, np.ndarray]]

    def anywhere(self, stage: str) -> bool:
        """Return whether tokens of a stage have a depth, both to train and to test on."""
        return all(
            any(np.isfinite(self.depths[stage][row]).any() for row in part)
            for part in (self.train, self.test)
        )


def read_known(
    source: ActivationSource, pictures: dict[str, list[DepthImage]], items_path: Path
) -> Known:
    """Find the rows of pictures with depth maps, and read each map once.

    Parameters
    ----------
    source : ActivationSource
    pictures : dict of list of DepthImage
        For ``train`` and ``test``.
    items_path : Path
        Of scope item, a picture's row is that of the first item that shows it and nothing else.

    Raises
    ------
    UserError
        If a picture has no row.
    """
    rows = source.rows if source.scope == "image" else _first_items(source, items_path)
    found: dict[str, dict[int, DepthImage]] = {}
    depths: dict[str, dict[int, np.ndarray]] = {stage: {} for stage in source.stages()}
    for part, members in pictures.items():
        for picture in members:
            if picture.image_id not in rows:
                raise UserError(
                    f"{source.path}: no row shows picture {picture.image_id!r} by itself, whose "
                    "depth is known; extract the activations of the whole dataset"
                )
        found[part] = dict(sorted((rows[p.image_id], p) for p in members))
        for row, picture in found[part].items():
            values = read_depths(picture)
            for stage, own in depths.items():
                own[row] = mean_depths(values, source.places(stage)[row]).astype(np.float32)
    return Known(found["train"], found["test"], depths)


def _first_items(source: ActivationSource, items_path: Path) -> dict[str, int]:
    """Return the row of the first item that shows a picture and nothing else, by picture."""
    items = pl.DataFrame(read_table(items_path, ["item_id", "images"])).sort("item_id")
    found: dict[str, int] = {}
    for name, images in items.filter(pl.col("images").list.len() == 1).iter_rows():
        if name in source.rows:
            found.setdefault(images[0], source.rows[name])
    return found
