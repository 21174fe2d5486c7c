"""The marked regions of an item, the part each plays, and how much of each image token they cover.

A control moves the regions of another item onto the picture: what is looked at there is what would
be looked at anyhow, at such places.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyechart import randomness
from eyechart.attention.settings import Item
from eyechart.errors import UserError
from eyechart.readout.sampling import OutsideError, weights_at_point
from eyechart.tables.regions import CANVAS, LETTERS, POINT, REF, Region, read_regions

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


def roles_of(item: Item) -> dict[str, str]:
    """Give what each name of a region is to an item: ``reference``, ``right`` or ``wrong``.

    Which choice a letter stands for is said in the item's meta (``letters``); else letter k is
    choice k.
    """
    letters = json.loads(item["meta"] or "{}").get("letters")
    if letters is None:
        letters = dict(zip(LETTERS, item["choices"], strict=False))
    known = {a: "right" if text == item["answer"] else "wrong" for a, text in letters.items()}
    return {REF: "reference", **known}


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


def coverage(places: np.ndarray, region: Region) -> np.ndarray:
    """Give how much of each token's area a region covers.

    A point covers one token in each view that shows it, shared out bilinearly among those around
    it. Tokens that lie nowhere are not covered.

    Parameters
    ----------
    places : ndarray, float32, shape (t, 7)
        Of the tokens of the region's picture; see ``readout.sampling``.

    Returns
    -------
    ndarray, float64, shape (t,), from 0 to 1
    """
    left, top, right, bottom = np.asarray(places, dtype=np.float64)[:, 3:7].T
    if region.shape == POINT:
        return _at_point(places, region.left, region.top)
    with np.errstate(invalid="ignore", divide="ignore"):
        wide = np.minimum(right, region.right) - np.maximum(left, region.left)
        high = np.minimum(bottom, region.bottom) - np.maximum(top, region.top)
        share = np.clip(wide, 0, None) * np.clip(high, 0, None) / (right - left) / (bottom - top)
    return np.asarray(np.nan_to_num(share))


def _at_point(places: np.ndarray, x: float, y: float) -> np.ndarray:
    found = np.zeros(len(places))
    left, top, right, bottom = places[:, 3:7].T
    inside = (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
    for view in np.unique(places[inside, 0]):
        here = places[:, 0] == view
        found[here] += weights_at_point(places[here], x, y)
    if not inside.any():
        try:
            found = weights_at_point(places, x, y)
        except OutsideError:
            return found  # cropped away: no token sees it
    return found


def of_picture(number: int, counts: Sequence[int], shares: np.ndarray) -> np.ndarray:
    """Lay the shares of one picture's tokens out among those of all pictures of a prompt."""
    found = np.zeros(sum(counts))
    start = sum(counts[:number])
    found[start : start + counts[number]] = shares
    return found
