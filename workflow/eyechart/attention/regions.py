"""The marked regions of an item, the part each plays, and how much of each image token they cover.

A control moves the regions of another item onto the picture: what is looked at there is what would
be looked at anyhow, at such places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyechart.attention.settings import Item
from eyechart.core import randomness
from eyechart.core.errors import UserError
from eyechart.tables.regions import CANVAS, Region, read_regions, roles_of

Sizes = Sequence[tuple[int, int]]  # width and height of each picture that an item shows


@dataclass(frozen=True)
class Mark:
    """A region on one of an item's pictures, which ``number`` counts from 0, and its role."""

    region: Region
    number: int
    role: str
    control: bool = False


def marks_of(path: Path | None, items: Sequence[Item]) -> dict[str, list[tuple[str, Mark]]]:
    """Give by item id the picture's id and the mark of each of its regions; none without a table.

    Raises
    ------
    UserError
        If a region is on a picture that its item does not show.
    """
    found: dict[str, list[tuple[str, Mark]]] = {item["item_id"]: [] for item in items}
    table = read_regions(path, CANVAS) if path else {}
    for item in items:
        roles = roles_of(item)
        for name, (image, region) in table.get(item["item_id"], {}).items():
            if image not in item["images"]:
                raise UserError(
                    f"{path}: region {name!r} of item {item['item_id']!r} is on picture {image!r}, "
                    f"expected one that the item shows: {', '.join(item['images'])}"
                )
            mark = Mark(region, item["images"].index(image), roles.get(name, "other"))
            found[item["item_id"]].append((image, mark))
    return found


def check_inside(mark: Mark, sizes: Sizes, item: str) -> None:
    """Raise a UserError if a region does not lie on its picture."""
    width, height = sizes[mark.number]
    if not mark.region.within(width, height):
        r = mark.region
        raise UserError(
            f"regions: {r.shape} {r.name!r} of item {item!r} is at ({r.left:g}, {r.top:g}, "
            f"{r.right:g}, {r.bottom:g}), expected to lie within its picture of {width} x {height}"
        )


def partners(items: Sequence[Item], seed: int) -> dict[str, str]:
    """Give for each item one of the same task and of another group, by seed; none if there is none.

    Its pictures are as many as the item's own.
    """
    found = {}
    for item in items:
        others = [
            other["item_id"]
            for other in items
            if other["task"] == item["task"]
            and other["group"] != item["group"]
            and len(other["images"]) == len(item["images"])
            and not set(other["images"]) & set(item["images"])
        ]
        if others:
            found[item["item_id"]] = randomness.dice("mismatched", seed, item["item_id"]).choice(
                others
            )
    return found


def moved(mark: Mark, of: Sizes, onto: Sizes) -> Mark:
    """Give another item's mark at the same place of one's own picture, scaled with its size."""
    (w, h), (width, height) = of[mark.number], onto[mark.number]
    region = mark.region.moved(0, 0, (width / w, height / h))
    return Mark(region, mark.number, mark.role, control=True)


def of_picture(number: int, counts: Sequence[int], shares: np.ndarray) -> np.ndarray:
    """Lay the shares of one picture's tokens out among those of all pictures of a prompt."""
    found = np.zeros(sum(counts))
    start = sum(counts[:number])
    found[start : start + counts[number]] = shares
    return found
