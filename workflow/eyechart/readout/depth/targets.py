"""True depths of tokens: the mean known depth in each token's area of a depth map."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from eyechart.core.errors import UserError
from eyechart.data.open_image import opened
from eyechart.tables.items import LABEL
from eyechart.tables.parquet import read_table

MAP = f"{LABEL}depth_map"
UNIT = 1000  # a depth map holds thousandths; 0 is unknown
KNOWN = 0.5  # share of a token's area; with less, the token's depth is unknown

_IMAGES = ["image_id", "group", "group_split", "width", "height", MAP]


@dataclass(frozen=True)
class DepthImage:
    """An image with a depth map."""

    image_id: str
    group: str
    width: int
    height: int
    path: Path


def read_depth_images(path: Path) -> dict[str, list[DepthImage]]:
    """Load the images that have a depth map, by part (``train``, ``test``), sorted by id.

    Raise a UserError if either part is empty.
    """
    rows = pl.DataFrame(read_table(path, _IMAGES)).filter(pl.col(MAP).is_not_null())
    found: dict[str, list[DepthImage]] = {"train": [], "test": []}
    for row in rows.sort("image_id").iter_rows(named=True):
        found[row["group_split"]].append(_depth_image(row))
    for part, images in found.items():
        if not images:
            raise UserError(
                f"{path}: no image with a {MAP} has the group_split {part!r}, expected some to "
                "train depth heads on and some to test them on"
            )
    return found


def read_depths(image: DepthImage) -> np.ndarray:
    """Load a depth map, float64 (h, w), in metres or the scene's units; 0 is unknown.

    Raise a UserError if the file is missing, is not a 16-bit PNG or differs in size from its image.
    """
    with opened(image.path, f"{image.path}, the {MAP} of {image.image_id!r}") as found:
        mode, size, values = found.mode, found.size, np.asarray(found)
    if mode not in ("I;16", "I;16B", "I"):
        raise UserError(f"{image.path}: its mode is {mode!r}, expected a 16-bit grey PNG")
    if size != (image.width, image.height):
        raise UserError(
            f"{image.path}: the depth map has {size[0]} x {size[1]} pixels, its image "
            f"{image.image_id!r} has {image.width} x {image.height}"
        )
    return values.astype(np.float64) / UNIT


def mean_depths(depths: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the mean known depth in each token's area.

    Result: float64, shape (t,); NaN for a token without a position or with known depth in less than
    half of its area.

    Parameters
    ----------
    depths : ndarray, shape (h, w); 0 is unknown
    places : ndarray, shape (t, 7); see ``tables.activations``; edges may be inside pixels
    """
    left, top, right, bottom = np.asarray(places, dtype=np.float64)[:, 3:7].T
    edges = tuple(np.nan_to_num(edge) for edge in (left, top, right, bottom))
    total, known = _integral(depths, edges), _integral((depths > 0).astype(np.float64), edges)
    with np.errstate(invalid="ignore"):
        enough = known >= KNOWN * (right - left) * (bottom - top)
    found = np.full(len(total), np.nan)
    enough &= known > 0
    found[enough] = total[enough] / known[enough]
    return found


def _integral(values: np.ndarray, edges: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return the exact integral over each box, (t,), if a pixel is a square of constant value."""
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    sums[1:, 1:] = values.cumsum(0).cumsum(1)
    left, top, right, bottom = edges

    def upto(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        # a sum up to a point within a pixel is bilinear between the sums up to its corners
        x, y = np.clip(x, 0, values.shape[1]), np.clip(y, 0, values.shape[0])
        i = np.minimum(x.astype(int), values.shape[1] - 1)
        j = np.minimum(y.astype(int), values.shape[0] - 1)
        u, v = x - i, y - j
        above = (1 - u) * sums[j, i] + u * sums[j, i + 1]
        below = (1 - u) * sums[j + 1, i] + u * sums[j + 1, i + 1]
        return np.asarray((1 - v) * above + v * below)

    return upto(right, bottom) - upto(left, bottom) - upto(right, top) + upto(left, top)


def _depth_image(row: dict[str, Any]) -> DepthImage:
    size = row["width"], row["height"]
    return DepthImage(row["image_id"], row["group"], *size, Path(row[MAP]))
