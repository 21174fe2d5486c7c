"""What is shown under a condition: the item's pictures, white, noise, another group's, or none.

White pictures and noise have the size of those that they stand for. A swapped item gets all
pictures of an item of another group: as many as its own, of the same task where there is one. Items
that share pictures and a task get the same others, so they still share them.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from eyechart.core import randomness
from eyechart.core.errors import UserError
from eyechart.data.open_image import open_image, size_of

WHITE = (255, 255, 255)

Item = dict[str, Any]  # a row of items.parquet
Images = tuple[str, ...]
Shown = tuple[str, Images]  # a group, and pictures that an item of it shows together


@dataclass(frozen=True, order=True)
class Sight:
    """One picture as it is shown; two that are equal need to be looked at only once.

    Attributes
    ----------
    name : str
        The id of a dataset's picture, or of the one that noise stands for; of white nothing, so
        that all white pictures of a size are one.
    size : (width, height) in pixels of what is made up; (0, 0) for a picture
    seed : int
        Of noise.
    path : str
        Of a picture.
    """

    name: str = ""
    size: tuple[int, int] = (0, 0)
    seed: int = 0
    path: str = ""

    def draw(self) -> Image.Image:
        """Give the picture in RGB."""
        if self.path:
            return open_image(Path(self.path))
        if not self.name:
            return Image.new("RGB", self.size, WHITE)
        width, height = self.size
        rng = randomness.generator("noise", self.seed, self.name)
        return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


class Showing:
    """Says what items show under each condition.

    Parameters
    ----------
    items : sequence of Item
        All items that are asked: swapped pictures come from these.
    paths : mapping
        The file of every picture, by id.
    """

    def __init__(self, items: Sequence[Item], paths: Mapping[str, str], seed: int) -> None:
        self.items, self.paths, self.seed = items, paths, seed
        self.sizes: dict[str, tuple[int, int]] = {}

    def sights(self, condition: str) -> list[tuple[tuple[Sight, ...], list[str]]]:
        """Give, for each item, what is shown, and the ids of the dataset's pictures among it."""
        if condition in ("sighted", "swapped"):
            others = swap(self.items, self.seed) if condition == "swapped" else {}
            shown = [others.get(item["item_id"], tuple(item["images"])) for item in self.items]
            return [(tuple(self._picture(i) for i in images), list(images)) for images in shown]
        made = {"blank": self._white, "noise": self._noise}
        if condition == "no_image":
            return [((), []) for _ in self.items]
        return [
            (tuple(made[condition](item, n) for n in range(len(item["images"]))), [])
            for item in self.items
        ]

    def _picture(self, image: str) -> Sight:
        if image not in self.paths:
            raise UserError(f"items: picture {image!r} is not in the picture table")
        return Sight(image, path=self.paths[image])

    def _white(self, item: Item, number: int) -> Sight:
        return Sight(size=self._size(item["images"][number]))

    def _noise(self, item: Item, number: int) -> Sight:
        image = item["images"][number]
        return Sight(image, self._size(image), self.seed)

    def _size(self, image: str) -> tuple[int, int]:
        if image not in self.sizes:
            self.sizes[image] = size_of(Path(self._picture(image).path))
        return self.sizes[image]


def swap(items: Sequence[Item], seed: int) -> dict[str, Images]:
    """Give each item's other pictures, by item id; items without a picture are left out.

    Sets of pictures are laid out group by group, in seeded order, and moved on by the size of the
    largest group: each set then stands for one other, and none for its own group. Where one group
    has more than half of all sets that cannot be, and a set is drawn for each that would see its
    own.

    Raises
    ------
    UserError
        If no item of another group has as many pictures.
    """
    pools: dict[tuple[str, int], set[Shown]] = defaultdict(set)
    alike: dict[int, set[Shown]] = defaultdict(set)
    asked = [
        (i["item_id"], i["task"], (i["group"], tuple(i["images"]))) for i in items if i["images"]
    ]
    for _, task, own in asked:
        pools[task, len(own[1])].add(own)
        alike[len(own[1])].add(own)
    found = {
        (task, count): _others(pool, alike[count], randomness.dice("swap", seed, task, count))
        for (task, count), pool in pools.items()
    }
    return {item: found[task, len(own[1])][own] for item, task, own in asked}


def _others(pool: set[Shown], spare: set[Shown], dice: random.Random) -> dict[Shown, Images]:
    """Give for each set of a pool another of it, or if there is none, of the spare ones."""
    by_group: dict[str, list[Shown]] = defaultdict(list)
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
            if not any(ways):
                raise UserError(
                    f"swapped: no item of another group than {own[0]!r} shows {len(own[1])} "
                    f"picture(s) other than {', '.join(own[1])}"
                )
            other = dice.choice(ways[0] or ways[1])
        found[own] = other[1]
    return found


def _differ(own: Shown, other: Shown) -> bool:
    return own[0] != other[0] and not set(own[1]) & set(other[1])
