"""Items' marked regions with their roles, and control regions from other items.

A control moves another item's regions onto the image. Attention to it is the baseline that such
positions get regardless of the question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyechart.core import randomness
from eyechart.core.errors import UserError
from eyechart.inference.chosen_items import Item
from eyechart.tables.regions import CANVAS, Region, read_regions, roles_of

Sizes = Sequence[tuple[int, int]]  # width and height of each image of an item


@dataclass(frozen=True)
class Mark:
    """A region on image ``number`` of an item, counted from 0, and its role."""

    region: Region
    number: int
    role: str
    control: bool = False


def marks_of(path: Path | None, items: Sequence[Item]) -> dict[str, list[tuple[str, Mark]]]:
    """Return each region's image id and mark, by item id; lists are empty without a table.

    Raise a UserError if a region is on an image that its item does not have.
    """
    found: dict[str, list[tuple[str, Mark]]] = {item["item_id"]: [] for item in items}
    table = read_regions(path, CANVAS) if path else {}
    for item in items:
        roles = roles_of(item)
        for name, (image, region) in table.get(item["item_id"], {}).items():
            if image not in item["images"]:
                raise UserError(
                    f"{path}: region {name!r} of item {item['item_id']!r} is on image {image!r}, "
                    f"expected one of the item's: {', '.join(item['images'])}"
                )
            mark = Mark(region, item["images"].index(image), roles.get(name, "other"))
            found[item["item_id"]].append((image, mark))
    return found


def check_inside(mark: Mark, sizes: Sizes, item: str) -> None:
    """Raise a UserError if a region extends beyond its image."""
    width, height = sizes[mark.number]
    if not mark.region.within(width, height):
        r = mark.region
        raise UserError(
            f"regions: {r.shape} {r.name!r} of item {item!r} is at ({r.left:g}, {r.top:g}, "
            f"{r.right:g}, {r.bottom:g}), expected to lie within its image of {width} x {height}"
        )


def partners(items: Sequence[Item], seed: int) -> dict[str, str]:
    """Draw each item's partner, from the same task and another group; omit items without one.

    A partner has the same number of images, and no image in common.
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
    """Return another item's mark, moved to the same relative position on the item's own image."""
    (w, h), (width, height) = of[mark.number], onto[mark.number]
    region = mark.region.moved(0, 0, (width / w, height / h))
    return Mark(region, mark.number, mark.role, control=True)


def of_image(number: int, counts: Sequence[int], shares: np.ndarray) -> np.ndarray:
    """Return the shares of one image's tokens, with 0 for tokens of other images."""
    found = np.zeros(sum(counts))
    start = sum(counts[:number])
    found[start : start + counts[number]] = shares
    return found


def marks_by_item(
    items: Sequence[Item], regions: Path | None, sizes_of: Mapping[str, tuple[int, int]], seed: int
) -> dict[str, list[Mark]]:
    """Return each item's marks, and another item's marks of the same task moved onto its images.

    Raise a UserError if a region extends beyond its image.
    """
    own = marks_of(regions, items)
    marked = [item for item in items if own[item["item_id"]]]
    sizes = {i["item_id"]: [sizes_of[p] for p in i["images"]] for i in marked}
    found = {item["item_id"]: [m for _, m in own[item["item_id"]]] for item in items}
    for name, marks in found.items():
        for mark in marks:
            check_inside(mark, sizes[name], name)
    controls = {
        name: [moved(m, sizes[other], sizes[name]) for _, m in own[other]]
        for name, other in partners(marked, seed).items()
    }
    return {name: [*marks, *controls.get(name, [])] for name, marks in found.items()}
