"""Compute and test the saliency maps of a batch of items, and convert them to table rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.chosen_items import Item
from eyechart.inference.failures import Failures, Notes
from eyechart.inference.marks import Mark
from eyechart.models.families.base import Adapter
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.usable import UnusableError
from eyechart.saliency.inputs import token_rows, weight_rows
from eyechart.saliency.measure import deleted, drop, in_region, orders_of, random_orders
from eyechart.saliency.methods import COMPLETE, METHODS, complete, integrated
from eyechart.saliency.settings import SaliencySettings
from eyechart.saliency.states import States, states_at
from eyechart.saliency.subjects import PromptBatch, Question, prepare, subject

Row = dict[str, Any]
Marks = Mapping[str, Sequence[Mark]]
MORE = (1, 4, 16)  # multiples of `steps`, tried in turn until items are complete


def plain(image: Image.Image) -> Image.Image:
    """Return the image unchanged."""
    return image


@dataclass
class Attributor:
    """A loaded model with everything that its maps and their tests need.

    Attributes
    ----------
    addresses : by method, the addresses at which it is computed
    paths : file of every image, by id
    marks : by item, its regions and another item's regions
    say : called with a sentence about an omission, to add it to the notes
    """

    adapter: Adapter
    settings: SaliencySettings
    addresses: dict[str, list[str]]
    paths: dict[str, str]
    marks: Marks
    seed: int
    say: Notes = field(default_factory=Notes)
    means: dict[str, Tensor] = field(default_factory=dict)
    incomplete: Counter[str] = field(default_factory=Counter)

    def notes(self, items: int) -> dict[str, str]:
        """Return the tables' notes; ``items`` is the number of items in the tables."""
        for address, count in (+self.incomplete).items():
            self.say(
                f"integrated at {address}: the attributions of {count} of {items} items miss the "
                f"difference of the scores by more than {COMPLETE:.0%}; raise saliency.steps"
            )
        return self.say.text()

    def usable(self, items: Sequence[Item]) -> list[Item]:
        """Return the items that the model can answer."""
        failures, found = Failures("items", len(items)), []
        for item in items:
            try:
                prepare(self.adapter, self.settings, item, self.paths, plain)
                found.append(item)
            except UnusableError as error:
                failures.add(item["item_id"], error)
                self.say(f"left out: {error}")
        return found

    def questions(self, items: Sequence[Item], blank: bool = False) -> list[Question]:
        """Return items' questions about their own images, or about baseline images."""
        draw = self.settings.blank if blank else plain
        return [prepare(self.adapter, self.settings, item, self.paths, draw) for item in items]

    def measure_means(self, items: Sequence[Item], size: AdaptiveBatchSize) -> None:
        """Compute the mean image token at each address, except where the model has no states."""
        for address in dict.fromkeys(a for own in self.addresses.values() for a in own):

            def total(few: Sequence[Item], address: str = address) -> tuple[Tensor, int]:
                states = states_at(subject(self.adapter, self.questions(few)), address)
                own = states.x[torch.cat(states.index)].double()
                return own.sum(dim=0), len(own)

            try:
                done = [found for _, found in size.over(items, total, "means")]
            except UserError as error:
                self.say(str(error))
                continue
            self.means[address] = torch.stack([own for own, _ in done]).sum(dim=0) / sum(
                n for _, n in done
            )

    def rows(self, items: Sequence[Item]) -> tuple[list[Row], list[Row]]:
        """Return a batch's rows of the tables of maps and of deletion curves."""
        maps: list[Row] = []
        curves: list[Row] = []
        for address, mean in self.means.items():
            states = states_at(subject(self.adapter, self.questions(items)), address)
            found = dict(self.attributed(states, items))
            if not found:
                continue
            drawn = [random_orders(states, self.seed, n) for n in range(self.settings.random)]
            orders = [*map(orders_of, found.values()), *drawn]
            falls = deleted(states, orders, mean, self.settings.points)
            beside = np.mean(falls[len(found) :], axis=0)
            for (method, own), own_curve in zip(found.items(), falls, strict=False):
                named = {"method": method, "address": address}
                for n, one in enumerate(states.subject.questions):
                    row = {k: one.item[k] for k in ("item_id", "task", "group")} | named
                    values = own[n].cpu().numpy()
                    maps += map_rows(row, one, values, states.places[n])
                    curve = curve_row(own_curve[n], beside[n])
                    region = in_region(values, states.places[n], self.marks[one.item["item_id"]])
                    total = float(values.sum())
                    curves.append(row | {"choice": one.choice, "total": total} | curve | region)
        return maps, curves

    def input_rows(self, items: Sequence[Item]) -> list[Row]:
        """Return a batch's rows about image and text tokens, or none without such tokens."""
        batch = subject(self.adapter, self.questions(items))
        try:
            if not isinstance(batch, PromptBatch):
                raise UserError("an encoder has no language model")
            return list(token_rows(batch, self.seed))
        except UserError as error:
            self.say(f"inputs: {error}")
            return []

    def weights(self) -> list[Row]:
        """Return the rows about the connector's weight matrices; none if it has no matrices."""
        try:
            return (
                list(weight_rows(self.adapter)) if isinstance(self.adapter, LanguageAdapter) else []
            )
        except (UserError, AttributeError) as error:
            self.say(f"weights: {error}")
            return []

    def attributed(
        self, states: States, items: Sequence[Item]
    ) -> Iterator[tuple[str, list[Tensor]]]:
        """Yield each method's maps at an address; leave out methods that the family rejects."""
        for method in self.settings.methods:
            if states.address not in self.addresses[method]:
                continue
            try:
                if method == "integrated":
                    found = self.integrated(states, items)
                else:
                    found = METHODS[method](states)
            except UserError as error:
                self.say(f"{method} at {states.address}: {error}")
                continue
            if not any(bool(own.any()) for own in found):
                self.say(f"{method} at {states.address}: no gradient reaches the image tokens")
            yield method, found

    def integrated(self, states: States, items: Sequence[Item]) -> list[Tensor]:
        """Return integrated gradients, with more steps for items with incomplete attributions.

        Items that are incomplete even with the most steps are counted.
        """
        found: dict[int, Tensor] = {}
        left, own = list(range(len(items))), states
        for more in MORE:
            few = [items[n] for n in left]
            if more > 1:
                own = states_at(subject(self.adapter, self.questions(few)), states.address)
            blank = subject(self.adapter, self.questions(few, blank=True))
            baseline = states_at(blank, states.address)
            maps = integrated(own, baseline, more * self.settings.steps)
            found |= dict(zip(left, maps, strict=True))
            done = complete(own, baseline, maps)
            left = [n for n, whole in zip(left, done, strict=True) if not whole]
            if not left:
                break
        self.incomplete[states.address] += len(left)
        return [found[n] for n in range(len(items))]


def map_rows(
    row: Row, one: Question, values: np.ndarray, places: Sequence[np.ndarray]
) -> list[Row]:
    """Return the rows of an item's maps, one per image."""
    ends = np.cumsum([len(boxes) for boxes in places])[:-1]
    parts = np.split(values, ends)
    return [
        row | {"image_id": image, "number": n, "saliency": part.tolist(), "places": boxes.tolist()}
        for n, (image, part, boxes) in enumerate(
            zip(one.item["images"], parts, places, strict=True)
        )
    ]


def curve_row(own: np.ndarray, beside: np.ndarray) -> Row:
    """Return the columns of a deletion curve and of the mean curve of random orders."""
    return {
        "log_probability": float(own[0]),
        "deleted": own.tolist(),
        "random": beside.tolist(),
        "drop": float(drop(own)),
        "random_drop": float(drop(beside)),
    }
