"""The table of regions, which mark an item's referent and choices, and the class of one region.

Coordinates are continuous: pixel (0, 0) of an image covers [0, 1) x [0, 1), x runs to the right
and y down. ``alone`` is a single image, as an encoder sees it; ``canvas`` is an image that a VLM is
shown for the item, which is one canvas or one of several images.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from eyechart.core.address import CENTER, OTHER_OBJECT, REFERENT
from eyechart.core.errors import UserError, nearest
from eyechart.tables.parquet import read_table, schema, write_table

REGIONS = schema("item_id seen image_id name shape: string", "left top right bottom: float64")
"""One row per region of an item and value of `seen`, sorted by item, `seen` and name. The outer
corner of the first pixel is (0, 0).

seen: `alone`: on the single image; `canvas`: on an image shown to a VLM, and to an encoder if the
  item has no row `alone`
image_id: The image of the region
name: `REF` for the item's referent (`REF2`, … for further referents), `OTHER` for another object of
  the same image (or its farthest corner if there is none), or the letter of a choice
shape: `point`, `box`, or `image` for the whole image
left, top, right, bottom (px): Edge; for a point, left equals right and top equals bottom
"""
ALONE, CANVAS = SEEN = ("alone", "canvas")
POINT, BOX, WHOLE_IMAGE = ("point", "box", "image")
REF, OTHER = "REF", "OTHER"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Region(NamedTuple):
    """A named point or box of an image, in its pixels; a point has no extent."""

    name: str
    shape: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> tuple[float, float]:
        """The centre, x and y."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def within(self, width: float, height: float) -> bool:
        """Return whether the region is inside an image of this size; a box must have an extent."""
        if not all(math.isfinite(value) for value in self[2:]):
            return False
        extent = (self.right - self.left, self.bottom - self.top)
        if self.shape == POINT:
            return extent == (0, 0) and 0 <= self.left < width and 0 <= self.top < height
        inside = self.left >= 0 and self.top >= 0 and self.right <= width and self.bottom <= height
        return inside and min(extent) > 0

    def elsewhere(self, width: float, height: float) -> list[Region]:
        """Return a region in the farthest corner, of this size or as large as there is room."""
        x, y = self.middle
        wide, high = self.right - self.left, self.bottom - self.top
        beside, above = max(self.left, width - self.right), max(self.top, height - self.bottom)
        if beside * high >= above * wide:
            wide = min(wide, beside)
        else:
            high = min(high, above)
        if self.shape != POINT and min(wide, high) <= 0:
            return []
        left = 0.0 if x > width / 2 else width - (wide or 1.0)
        top = 0.0 if y > height / 2 else height - (high or 1.0)
        return [Region(OTHER, self.shape, left, top, left + wide, top + high)]

    def check(self, where: str, on: str, size: tuple[float, float]) -> None:
        """Raise a UserError that begins with ``where`` unless the region lies on image ``on``."""
        if not self.within(*size):
            at = ", ".join(f"{edge:g}" for edge in self[2 : 4 if self.shape == POINT else 6])
            flat = self.shape != POINT and not (self.left < self.right and self.top < self.bottom)
            fault = "has no area" if flat else "does not lie"
            raise UserError(
                f"{where}: {self.shape} {self.name} at ({at}) {fault} on {on}, which is "
                f"{size[0]} x {size[1]} px"
            )

    def moved(self, x: float, y: float, scale: tuple[float, float]) -> Region:
        """Return the region after scaling its image along both axes and pasting it at (x, y)."""
        left, right = (x + scale[0] * value for value in (self.left, self.right))
        top, bottom = (y + scale[1] * value for value in (self.top, self.bottom))
        return self._replace(left=left, top=top, right=right, bottom=bottom)


def roles_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the role of each named region of an item: ``reference``, ``right`` or ``wrong``.

    The item's meta maps letters to choices (``letters``); without it, letter k is choice k.
    """
    letters = json.loads(item["meta"] or "{}").get("letters")
    if letters is None:
        letters = dict(zip(LETTERS, item["choices"], strict=False))
    known = {a: "right" if text == item["answer"] else "wrong" for a, text in letters.items()}
    return {REF: "reference", **known}


def referents(
    regions: Mapping[str, tuple[str, Region]], item: Mapping[str, Any]
) -> dict[str, tuple[str, tuple[Region, ...]]]:
    """Return the regions of each span of an item, with their image.

    ``referent`` is ``REF``, or all choices together, and ``referent_center`` the middle of each.
    ``other_object`` is ``OTHER``, or the first wrong choice if there is a ``REF``. A span with
    regions on several images is omitted.
    """
    about = [name for name in regions if name.rstrip("0123456789") == REF]
    choices = sorted(name for name in regions if name in LETTERS)
    wrong = [name for name in choices if about and roles_of(item).get(name) == "wrong"]
    named = {REFERENT: about or choices, OTHER_OBJECT: [OTHER] if OTHER in regions else wrong[:1]}
    found = {}
    for span, names in named.items():
        images = {regions[name][0] for name in names}
        if len(images) == 1:
            found[span] = (images.pop(), tuple(regions[name][1] for name in names))
    if REFERENT in found:
        image, own = found[REFERENT]
        found[CENTER] = (image, tuple(point(region.name, *region.middle) for region in own))
    return found


def point(name: str, x: float, y: float) -> Region:
    """Return a point."""
    return Region(name, POINT, float(x), float(y), float(x), float(y))


def box(name: str, left: float, top: float, right: float, bottom: float) -> Region:
    """Return a box."""
    return Region(name, BOX, float(left), float(top), float(right), float(bottom))


def whole_image(name: str, width: float, height: float) -> Region:
    """Return the region of a whole image."""
    return Region(name, WHOLE_IMAGE, 0.0, 0.0, float(width), float(height))


def about_image(item_id: str, image_id: str, regions: Iterable[Region]) -> list[dict[str, Any]]:
    """Return the region rows of an item that shows this image."""
    shared = {"item_id": item_id, "seen": CANVAS, "image_id": image_id}
    return [shared | region._asdict() for region in regions]


def write_regions(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write the table, sorted by item, ``seen`` and name."""
    order = sorted(rows, key=lambda row: (row["item_id"], row["seen"], row["name"]))
    write_table(path, pa.Table.from_pylist(order, REGIONS))


def read_regions(path: Path, seen: str) -> dict[str, dict[str, tuple[str, Region]]]:
    """Load the regions by item, then by name, each with the id of its image.

    Raise a UserError if the table is missing or invalid, or ``seen`` is unknown.

    Parameters
    ----------
    path : ``regions.parquet`` of a dataset
    seen : {"alone", "canvas"}; how the image is shown
    """
    if seen not in SEEN:
        raise UserError(f"seen is {seen!r}; {nearest(seen, SEEN)}")
    found: dict[str, dict[str, tuple[str, Region]]] = {}
    for row in read_table(path, REGIONS.names).to_pylist():
        if row["seen"] == seen:
            region = Region(*(row[field] for field in Region._fields))
            found.setdefault(row["item_id"], {})[row["name"]] = (row["image_id"], region)
    return found
