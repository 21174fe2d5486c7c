"""Settings of the attention stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eyechart.core.errors import UserError
from eyechart.inference.chosen_items import Item
from eyechart.inference.prompts import AskedInOrder


@dataclass(frozen=True)
class AttentionSettings(AskedInOrder):
    """The config section ``attention``.

    Attributes
    ----------
    items : maximum number of items per task, sampled with the seed from the test groups
    images : number of items per task whose attention to every image token is stored for figures
    top : number of words stored per image token; 0 for none
    """

    items: int
    images: int
    top: int

    def __post_init__(self) -> None:
        for name, least in (("items", 1), ("images", 0), ("top", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise UserError(f"{name}: {value!r}, expected a whole number of at least {least}")
        self.style()


def first_of_each_task(items: Sequence[Item], most: int) -> set[str]:
    """Return the ids of the first items of each task, up to ``most`` per task."""
    found: dict[str, list[str]] = {}
    for item in items:
        found.setdefault(item["task"], []).append(item["item_id"])
    return {name for own in found.values() for name in own[:most]}
