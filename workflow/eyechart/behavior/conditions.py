"""Images shown under each condition: the item's own, white, noise, another group's or none.

White and noise images have the size of the images that they replace. A swapped item gets all images
of an item from another group with the same number of images, from the same task if possible. Items
that share images and a task get the same replacement, so they still share images.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from eyechart.core import randomness
from eyechart.core.errors import UserError
from eyechart.data.open_image import open_image

WHITE = (255, 255, 255)

Item = dict[str, Any]  # a row of items.parquet
Images = tuple[str, ...]
Set = tuple[str, Images]  # a group, and the images of one of its items


@dataclass(frozen=True, order=True)
class Stimulus:
    """One image as shown to the model; equal stimuli are encoded only once.

    Attributes
    ----------
    name : id of an image of the dataset, or of the image that noise replaces; empty for white, so
        that all white images of a size are equal
    size : (width, height) in pixels of a generated image; (0, 0) for an image of the dataset
    seed : seed of the noise
    path : file of an image of the dataset
    """

    name: str = ""
    size: tuple[int, int] = (0, 0)
    seed: int = 0
    path: str = ""

    def __str__(self) -> str:
        """Return the name used in error messages."""
        if self.path:
            return f"image {self.name!r}"
        return f"noise as large as {self.name!r}" if self.name else f"a white image of {self.size}"

    def draw(self) -> Image.Image:
        """Open or generate the image, in RGB."""
        if self.path:
            return open_image(Path(self.path))
        if not self.name:
            return Image.new("RGB", self.size, WHITE)
        width, height = self.size
        rng = randomness.generator("noise", self.seed, self.name)
        return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


Shown = tuple[tuple[Stimulus, ...], list[str]]  # images as shown, and ids of those from the dataset


class StimulusBuilder:
    """A builder of the images that items show under each condition.

    Parameters
    ----------
    items : the items to ask
    paths : file of every image, by id
    pool : all items asked in any part, the source of swapped images; by default ``items``
    sizes : width and height of images, by id; other images are opened when needed
    """

    def __init__(
        self,
        items: Sequence[Item],
        paths: Mapping[str, str],
        seed: int,
        pool: Sequence[Item] | None = None,
        sizes: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self.items, self.paths, self.seed, self.pool = items, paths, seed, pool or items
        self.sizes = dict(sizes or {})

    def without(self, left_out: Container[str]) -> StimulusBuilder:
        """Return a copy of the builder that omits the items with these ids."""
        items = [item for item in self.items if item["item_id"] not in left_out]
        pool = [item for item in self.pool if item["item_id"] not in left_out]
        return StimulusBuilder(items, self.paths, self.seed, pool)

    def stimuli(self, condition: str) -> list[Shown]:
        """Return each item's images, and the ids of the images that come from the dataset.

        The list is empty if the condition does not apply because an item has no images to swap
        with.
        """
        if condition in ("sighted", "swapped"):
            others = swap(self.pool, self.seed) if condition == "swapped" else {}
            if others is None:
                return []
            seen = [others.get(item["item_id"], tuple(item["images"])) for item in self.items]
            return [(tuple(self._stimulus(i) for i in images), list(images)) for images in seen]
        made = {"blank": self._white, "noise": self._noise}
        if condition == "no_image":
            return [((), []) for _ in self.items]
        return [
            (tuple(made[condition](item, n) for n in range(len(item["images"]))), [])
            for item in self.items
        ]

    def _stimulus(self, image: str) -> Stimulus:
        if image not in self.paths:
            raise UserError(f"items: image {image!r} is not in the image table")
        return Stimulus(image, path=self.paths[image])

    def _white(self, item: Item, number: int) -> Stimulus:
        return Stimulus(size=self._size(item["images"][number]))

    def _noise(self, item: Item, number: int) -> Stimulus:
        image = item["images"][number]
        return Stimulus(image, self._size(image), self.seed)

    def _size(self, image: str) -> tuple[int, int]:
        if image not in self.sizes:
            self.sizes[image] = self._stimulus(image).draw().size
        return self.sizes[image]


def swap(items: Sequence[Item], seed: int) -> dict[str, Images] | None:
    """Return each item's replacement images, by item id; items without images are left out.

    Sets of images are listed by group in seeded order and shifted by the size of the largest group,
    so that each set replaces exactly one other, never one of its own group. If one group has more
    than half of all sets, this is impossible. Then each set that would get one of its own group
    gets a random set: of the same task if possible, otherwise with as many images, otherwise any
    images of other groups. Return None if some item has no replacement at all.
    """
    pools: dict[tuple[str, int], set[Set]] = defaultdict(set)
    alike: dict[int, set[Set]] = defaultdict(set)
    asked = [
        (i["item_id"], i["task"], (i["group"], tuple(i["images"]))) for i in items if i["images"]
    ]
    for _, task, own in asked:
        pools[task, len(own[1])].add(own)
        alike[len(own[1])].add(own)
    single: list[Set] = sorted({(own[0], (image,)) for _, _, own in asked for image in own[1]})
    found = {
        (task, count): _others(
            pool, alike[count], single, randomness.dice("swap", seed, task, count)
        )
        for (task, count), pool in pools.items()
    }
    chosen = {item: found[task, len(own[1])][own] for item, task, own in asked}
    return chosen if all(chosen.values()) else None


def _others(
    pool: set[Set], spare: set[Set], single: list[Set], dice: random.Random
) -> dict[Set, Images]:
    """Return a replacement for each set in a pool, from the pool or, failing that, the spare sets.

    A set without either gets the same number of ``single`` images, or nothing.
    """
    by_group: dict[str, list[Set]] = defaultdict(list)
    for own in sorted(pool):
        by_group[own[0]].append(own)
    groups = list(by_group)
    dice.shuffle(groups)
    laid = [own for group in groups for own in by_group[group]]
    step = max(map(len, by_group.values()))
    found = {}
    for n, own in enumerate(laid):
        other = laid[(n + step) % len(laid)]
        if not _differ(own, other):
            ways = [[o for o in sorted(some) if _differ(own, o)] for some in (pool, spare)]
            images = [o[1][0] for o in single if _differ(own, o)]
            if any(ways):
                other = dice.choice(ways[0] or ways[1])
            else:
                count = len(own[1])
                other = ("", tuple(dice.sample(images, count)) if len(images) >= count else ())
        found[own] = other[1]
    return found


def _differ(own: Set, other: Set) -> bool:
    return own[0] != other[0] and not set(own[1]) & set(other[1])
