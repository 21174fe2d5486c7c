"""Images of items with maps of their tokens, for the sections that show a few."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from eyechart.core.errors import UserError
from eyechart.report.files import Inputs
from eyechart.report.images import png_address
from eyechart.report.overlays import Picture
from eyechart.tables.parquet import read_table
from eyechart.tables.regions import CANVAS, read_regions, roles_of

Row = dict[str, Any]
SHOWN = ("item_id", "task", "prompt", "choices", "answer")


@dataclass(frozen=True)
class MappedImage(Picture):
    """One image of an item with its maps: title, and value and box of each token."""

    panels: list[tuple[str, np.ndarray, np.ndarray]]


def mapped_images(
    inputs: Inputs, dataset: str, maps: Path, rows: Sequence[Row], column: str
) -> list[MappedImage]:
    """Return the images of a dataset that have a map, sorted by task, item and number.

    Images whose tokens have no position are omitted. Raise a UserError for an item that is missing
    from the dataset.

    Parameters
    ----------
    maps : the table that contains the rows, named in errors
    column : the column with the token values; rows also have ``item_id``, ``image_id``, ``number``,
        ``places`` and ``title``
    """
    items, images = (inputs.by_dataset(name)[dataset] for name in ("items", "images"))
    regions = inputs.by_dataset("regions").get(dataset)
    known = {row["item_id"]: row for row in read_table(items).to_pylist()}
    files = dict(pl.DataFrame(read_table(images, ["image_id", "path"])).rows())
    marked = read_regions(regions, CANVAS) if regions else {}
    found: dict[tuple[str, int], MappedImage] = {}
    for row in rows:
        name, image, number = row["item_id"], row["image_id"], row["number"]
        if name not in known:
            raise UserError(f"{items}: item {name!r} of {maps} is missing")
        there = [r for i, r in marked.get(name, {}).values() if i == image]
        about = [r for r in there if r.name.startswith("REF")] or there
        places = np.array(row["places"], dtype=np.float32).reshape(-1, 7)
        if np.isnan(places[:, 3]).all():
            continue  # learned queries have no position in the image
        item = known[name]
        picture = MappedImage(item, number, Path(files[image]), about, roles_of(item), [])
        own = found.setdefault((name, number), picture)
        own.panels.append((row["title"], np.array(row[column]), places))
    return sorted(found.values(), key=lambda p: (p.item["task"], p.item["item_id"], p.number))


def card(picture: Picture, image: Image.Image) -> Row:
    """Return the template data of one item: its image under each map, and its question."""
    size = {"width": image.width, "height": image.height}
    return {**{n: picture.item[n] for n in SHOWN}, **size, "source": png_address(image)}
