"""Weights of image tokens in items' regions, for pooling on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.inference.workload import ItemPrompt
from eyechart.models.addresses import Column
from eyechart.models.families.base import Adapter
from eyechart.tables.regions import Region
from eyechart.tables.token_boxes import shown_weights

KEPT = 300  # sets of weights cached
Known = dict[tuple[bytes, tuple[Region, ...]], np.ndarray]
Shown = Sequence[tuple[str, tuple[int, int]]]  # id and size of a row's images


@dataclass(frozen=True)
class RowWeights:
    """Weights of a row's image tokens in items' regions.

    Attributes
    ----------
    items : by span, the rows of the items that have it
    weights : by key of token boxes and span, float32 (items, tokens)
    """

    items: Mapping[str, list[int]] = field(default_factory=dict)
    weights: Mapping[tuple[str, str], np.ndarray] = field(default_factory=dict)


class Weigher:
    """Computes the weights of regions for the columns pooled in one kind of row.

    Adapters measure boxes with their processor, so use this where images are preprocessed.
    ``known`` caches weights, since questions about an image share objects and components share
    boxes.
    """

    def __init__(self, adapter: Adapter, columns: Sequence[Column], known: Known) -> None:
        self.adapter, self.known = adapter, known
        of = [c for c in columns if c.regional]
        self.spans = list(dict.fromkeys(c.span for c in of))
        keys = (adapter.box_key(c.address.component, c.address.module) for c in of)
        self.keys = list(dict.fromkeys(keys))

    def weigh(self, questions: Sequence[ItemPrompt], shown: Shown) -> RowWeights:
        """Return the weights of a row of these images for the questions with regions on them."""
        ids = [image for image, _ in shown]
        items, weights = {}, {}
        for span in self.spans:
            own = [q for q in questions if q.row is not None and span in q.regions]
            own = [q for q in own if q.regions[span][0] in ids]
            items[span] = [q.row for q in own if q.row is not None]
            for key in self.keys if own else ():
                boxes = [self.adapter.token_boxes(size, key, len(shown)) for _, size in shown]
                ends = np.cumsum([0, *map(len, boxes)])
                found = np.zeros((len(own), ends[-1]), np.float32)
                for row, question in zip(found, own, strict=True):
                    image, regions = question.regions[span]
                    n = ids.index(image)
                    row[ends[n] : ends[n + 1]] = self._weights(boxes[n], regions)
                weights[key, span] = found
        return RowWeights(items, weights)

    def _weights(self, boxes: np.ndarray, regions: tuple[Region, ...]) -> np.ndarray:
        if len(self.known) > KEPT:
            self.known.clear()
        key = boxes.tobytes(), regions
        if key not in self.known:
            self.known[key] = shown_weights(boxes, regions)
        return self.known[key]


class PassWeights:
    """The weights of one forward pass, as masks for pooling."""

    def __init__(self, adapter: Adapter, rows: Sequence[RowWeights]) -> None:
        self.adapter, self.rows = adapter, rows
        self._masks: dict[tuple[str, str, torch.Size], Tensor] = {}

    def masks(self, columns: Sequence[Column], tokens: Tensor) -> dict[str, Tensor]:
        """Return the weights of one address's columns, float32 (b, q, t), by span.

        Raise a UserError if the numbers of image tokens and of boxes differ.

        Parameters
        ----------
        columns : columns of one module
        tokens : bool, shape (b, t); the image tokens in the module's output
        """
        address = columns[0].address
        box_key = self.adapter.box_key(address.component, address.module)
        found = {}
        for span in (c.span for c in columns if c.regional):
            key = box_key, span, tokens.shape
            if key not in self._masks:
                own = tokens.cpu().numpy()
                laid = self._lay(own, box_key, span, address.address)
                self._masks[key] = torch.from_numpy(laid).to(tokens.device)
            found[span] = self._masks[key]
        return found

    def _lay(self, tokens: np.ndarray, key: str, span: str, name: str) -> np.ndarray:
        counts = [len(row.items.get(span, ())) for row in self.rows]
        laid = np.zeros((len(tokens), max(1, *counts), tokens.shape[1]), np.float32)
        for into, row, own, count in zip(laid, self.rows, tokens, counts, strict=True):
            if not count:
                continue
            weights = row.weights[key, span]
            if weights.shape[1] != own.sum():
                raise UserError(
                    f"{self.adapter.spec.checkpoint}: {name} has {own.sum()} image tokens, but "
                    f"{weights.shape[1]} positions are known; leave the span {span} out there"
                )
            into[:count, own] = weights
        return laid

    def flat(self, span: str, pooled: Tensor) -> Tensor:
        """Return the means (items, d) of all items in order of rows, from (b, q, d)."""
        counts = [len(row.items.get(span, ())) for row in self.rows]
        width = pooled.shape[1]
        index = [b * width + q for b, count in enumerate(counts) for q in range(count)]
        return pooled.flatten(0, 1)[torch.tensor(index, dtype=torch.long, device=pooled.device)]


def items_of(rows: Sequence[RowWeights], span: str) -> list[int]:
    """Return the items that have a span, in the order of ``flat``."""
    return [item for row in rows for item in row.items.get(span, ())]


def joined(rows: Sequence[RowWeights]) -> RowWeights:
    """Return the weights of questions that share a row, given the weights of each one alone."""
    spans = dict.fromkeys(span for row in rows for span in row.items)
    keys = dict.fromkeys(key for row in rows for key in row.weights)
    parts = {key: [row.weights[key] for row in rows if key in row.weights] for key in keys}
    return RowWeights(
        {span: items_of(rows, span) for span in spans},
        {key: np.concatenate(part) for key, part in parts.items()},
    )
