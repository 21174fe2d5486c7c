"""The rows of a source with depth maps, and the depths of their tokens."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from eyechart.core.errors import UserError
from eyechart.readout.depth.targets import DepthImage, mean_depths, read_depths
from eyechart.readout.tokens import ActivationSource
from eyechart.tables.activations import DROPPED
from eyechart.tables.parquet import read_table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DepthRows:
    """The rows of a source whose images have depth maps."""

    # train, test: by row, in order
    train: dict[int, DepthImage]
    test: dict[int, DepthImage]
    # by name of token positions, then row: the mean known depth of each token, float32 (t,), NaN if
    # unknown
    depths: dict[str, dict[int, np.ndarray]]

    def has_depths(self, places_name: str) -> bool:
        """Return whether both parts have a token with a known depth at these positions."""
        return all(
            any(np.isfinite(self.depths[places_name][row]).any() for row in part)
            for part in (self.train, self.test)
        )


def read_depth_rows(
    source: ActivationSource, images: dict[str, list[DepthImage]], items_path: Path
) -> DepthRows:
    """Load the rows of images with depth maps; each map is read once.

    Raise a UserError if an image has no row.

    Parameters
    ----------
    images : images with depth maps, for ``train`` and ``test``
    items_path : in scope item, an image's row is that of the first item that shows only this image
    """
    rows = source.rows if source.scope == "image" else _first_items(source, items_path)
    found: dict[str, dict[int, DepthImage]] = {}
    depths: dict[str, dict[int, np.ndarray]] = {
        places_name: {} for places_name in source.places_names()
    }
    dropped = set(source.manifest.get(DROPPED, {}))
    for part, every in images.items():
        members = [image for image in every if image.image_id not in dropped]
        for image in members:
            if image.image_id not in rows:
                raise UserError(
                    f"{source.path}: no row shows image {image.image_id!r} alone, which "
                    "has a depth map; extract the activations of the whole dataset"
                )
        found[part] = dict(sorted((rows[p.image_id], p) for p in members))
        for row, image in found[part].items():
            values = read_depths(image)
            for places_name, own in depths.items():
                own[row] = mean_depths(values, source.places(places_name)[row]).astype(np.float32)
    return DepthRows(found["train"], found["test"], depths)


def _first_items(source: ActivationSource, items_path: Path) -> dict[str, int]:
    """Return, by image, the row of the first item that shows only this image."""
    items = pl.DataFrame(read_table(items_path, ["item_id", "images"])).sort("item_id")
    found: dict[str, int] = {}
    for name, images in items.filter(pl.col("images").list.len() == 1).iter_rows():
        if name in source.rows:
            found.setdefault(images[0], source.rows[name])
    return found
