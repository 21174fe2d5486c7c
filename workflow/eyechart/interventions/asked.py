"""Pair items with donors and with the image tokens of their regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eyechart.core import randomness
from eyechart.core.address import OTHER_OBJECT, REFERENT
from eyechart.inference.chosen_items import Item
from eyechart.models.families.base import Adapter
from eyechart.tables.regions import Region, referents
from eyechart.tables.token_boxes import coverage

OWN, DONOR, CONTROL = "own", "donor", "control"
REGIONS = (REFERENT, OTHER_OBJECT)

Images = tuple[str, ...]
Sizes = Mapping[str, tuple[int, int]]  # by image id


@dataclass(frozen=True)
class RegionOfTokens:
    """The image tokens of a prompt that a region covers.

    Attributes
    ----------
    flags : bool, shape (t,); tokens that the region covers at least in part
    most : bool, shape (t,); tokens that it covers by at least half, otherwise the most covered one
    offsets : float, shape (t, 2); from the region's centre to each token's, in pixels
    """

    flags: np.ndarray
    most: np.ndarray
    offsets: np.ndarray


@dataclass(frozen=True)
class AskedItem:
    """An item with its images, donors and regions.

    Attributes
    ----------
    shown : ids of its own images and its donors', under ``own``, ``donor``, ``control``
    donors : ids of the donor items
    regions : by ``own``, ``donor`` or ``control``, and by span, the region's tokens; regions
        without tokens are absent
    """

    item: Item
    shown: dict[str, Images]
    donors: dict[str, str] = field(default_factory=dict)
    regions: dict[str, dict[str, RegionOfTokens]] = field(default_factory=dict)

    def has(self, span: str, *whose: str) -> bool:
        """Return whether the span is not a region, or covers tokens in all these images."""
        return span not in REGIONS or all(span in self.regions.get(w, {}) for w in whose)


def ask(
    adapter: Adapter,
    items: Sequence[Item],
    pool: Sequence[Item],
    marked: Mapping[str, Mapping[str, tuple[str, Region]]],
    sizes: Sizes,
    seed: int,
) -> list[AskedItem]:
    """Return items with donors from a pool and the tokens of their regions.

    A donor is an item of the same task and another group, with different images of the same sizes:
    ``donor`` has another answer, ``control`` the same. Items with the same question are preferred.
    An item without a donor uses its own images instead and names no donor.
    """
    found = []
    for item in items:
        donors = {
            whose: donor
            for whose, alike in ((DONOR, False), (CONTROL, True))
            if (donor := draw_donor(item, pool, alike, sizes, seed))
        }
        every = {OWN: item, **donors}
        shown = {w: tuple(every.get(w, item)["images"]) for w in (OWN, DONOR, CONTROL)}
        regions = {w: region_tokens(adapter, one, marked, sizes) for w, one in every.items()}
        named = {w: str(one["item_id"]) for w, one in donors.items()}
        found.append(AskedItem(item, shown, named, regions))
    return found


def draw_donor(
    item: Item, pool: Sequence[Item], alike: bool, sizes: Sizes, seed: int
) -> Item | None:
    """Draw a donor with the same answer or another; return None if the pool has none."""
    shapes = [sizes[image] for image in item["images"]]
    fit = [
        one
        for one in pool
        if one["task"] == item["task"]
        and one["group"] != item["group"]
        and (one["answer"] == item["answer"]) == alike
        and [sizes[image] for image in one["images"]] == shapes
        and not set(one["images"]) & set(item["images"])
    ]
    same = [one for one in fit if one["prompt"] == item["prompt"]]
    dice = randomness.dice("donor", seed, item["item_id"], int(alike))
    return dice.choice(same or fit) if fit else None


def region_tokens(
    adapter: Adapter,
    item: Item,
    marked: Mapping[str, Mapping[str, tuple[str, Region]]],
    sizes: Sizes,
) -> dict[str, RegionOfTokens]:
    """Return the tokens of an item's referent and of another object, or {} without positions."""
    of_item = marked.get(item["item_id"])
    named = referents(of_item, item) if of_item else {}
    boxes = {i: adapter.token_boxes(sizes[i], "lm", len(item["images"])) for i in item["images"]}
    return {
        span: tokens
        for span in REGIONS
        if span in named and (tokens := _covered(*named[span], item["images"], boxes))
    }


def _covered(
    on: str, regions: Sequence[Region], images: Sequence[str], boxes: Mapping[str, Any]
) -> RegionOfTokens | None:
    """Return the tokens that regions on one image cover, among the tokens of all images."""
    shares, offsets = [], []
    for image in images:
        places = boxes[image]
        share = np.max([coverage(places, r) for r in regions], axis=0) * (image == on)
        middles = (places[:, 3:5] + places[:, 5:7]) / 2  # (t, 2)
        away = [middles - np.array(r.middle) for r in regions]
        nearest = np.argmin([np.nan_to_num(a**2).sum(1) for a in away], axis=0)
        shares.append(share)
        offsets.append(np.stack(away)[nearest, np.arange(len(places))])
    share = np.concatenate(shares)
    if not share.any():
        return None
    return RegionOfTokens(share > 0, share >= min(0.5, share.max()), np.concatenate(offsets))


def matched_tokens(own: RegionOfTokens, other: RegionOfTokens) -> np.ndarray:
    """Return the index of each token's replacement: int (t,).

    A token of the region is replaced by the other region's token with the nearest offset from the
    centre; every other token stays itself.
    """
    found, there = np.arange(len(own.flags)), np.flatnonzero(other.flags)
    here = np.flatnonzero(own.flags)
    apart = own.offsets[here, None] - other.offsets[None, there]  # (own, other, 2)
    found[here] = there[(apart**2).sum(axis=2).argmin(axis=1)]
    return found
