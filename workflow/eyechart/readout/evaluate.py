"""Evaluate all readouts at all addresses with image tokens, one column at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from itertools import groupby
from typing import Protocol

import numpy as np

from eyechart.core.randomness import generator
from eyechart.readout import registry
from eyechart.readout.choose import Prediction, Weighted, choose, score_choices, take
from eyechart.readout.depth.linear import LinearHead
from eyechart.readout.items import ReadoutItem
from eyechart.readout.skipped import SkippedItems
from eyechart.readout.token_plans import LEFT, TokenPlan, assemble, plan_items, rows_of
from eyechart.readout.tokens import ActivationSource
from eyechart.tables import readouts as names
from eyechart.tables.regions import ALONE

Values = tuple[int, np.ndarray]  # a row and its tokens (t, d)
Planned = tuple[list[TokenPlan], list[tuple[ReadoutItem, str]]]


class DepthMapHead(Protocol):
    """A head that computes a finer depth map from the tokens at several addresses."""

    @property
    def addresses(self) -> list[str]:
        """The addresses that the head reads, which share their token positions."""

    def cell_places(self, places: np.ndarray) -> np.ndarray:
        """Return the positions (cells, 7) of the map's cells from the tokens' positions (t, 7)."""

    def __call__(self, tokens: list[np.ndarray], places: np.ndarray) -> np.ndarray:
        """Return the depths of the cells, (cells,)."""


@dataclass(frozen=True)
class ReadoutContext:
    """Context shared by the readouts of all items."""

    items: list[ReadoutItem]
    seed: tuple[str, int]  # the dataset and the configuration's seed
    views: Mapping[str, int]  # number of views of each single image
    skipped: SkippedItems  # collects the items that could not be read, with reasons
    # cached plans, by token positions
    planned: dict[tuple[str, ...], Planned] = field(default_factory=dict)

    def tokens(
        self, source: ActivationSource, addresses: Sequence[str], heads: Mapping[str, LinearHead]
    ) -> Iterator[Prediction]:
        """Yield the predictions for all tasks at the given addresses; depth order needs a head."""
        for places_name, own in groupby(addresses, source.places_name):
            plans = self._plan(source, places_name, source.places(places_name), self.items)
            depth = [p for p in plans if registry.names(p.item.task, registry.DEPTHS)]
            others = [p for p in plans if registry.names(p.item.task, registry.TOKENS)]
            for address in own:
                if others:
                    rows = _stream(source, address, others)
                    yield from self._read(others, address, rows, registry.TOKENS)
                if depth and address in heads:
                    rows = _depths(_stream(source, address, depth), heads[address])
                    yield from self._read(depth, address, rows, registry.DEPTHS)
                elif depth and heads:
                    self.skipped.note(f"{address} has no depth head, so no depth order there")

    def depth_map(
        self, source: ActivationSource, address: str, head: DepthMapHead
    ) -> Iterator[Prediction]:
        """Yield the depth orders from a head over several maps, labelled with its ``address``."""
        places_name = source.places_name(head.addresses[0])
        places = source.places(places_name)
        cell_places = [head.cell_places(one) for one in places]
        depth = [r for r in self.items if registry.names(r.task, registry.DEPTH_MAP)]
        plans = self._plan(source, places_name, cell_places, depth)

        def rows() -> Iterator[Values]:
            for row, tokens in source.stream(head.addresses, rows_of(plans)):
                yield row, head(tokens, places[row])[:, None]

        yield from self._read(plans, address, rows(), registry.DEPTH_MAP)

    def class_tokens(self, source: ActivationSource, address: str) -> Iterator[Prediction]:
        """Yield the predictions from the class tokens of single images."""
        vectors = source.vectors(address).astype(np.float64)
        alone = (r for r in self.items if r.seen == ALONE)
        here = [r for r in alone if registry.names(r.task, registry.CLS)]
        failed = []
        for item in here:
            images = [image for image, _ in item.regions.values()]
            if not all(image in source.rows for image in images):
                failed.append((item, "the model was not shown the image in this way"))
                continue
            own = vectors[[source.rows[image] for image in images]]
            permutation = self._permutation(item, address, len(own))
            for end, order in (("", np.arange(len(own))), (names.SHUFFLED, permutation)):
                rows = zip(item.regions, own[order], strict=True)
                tokens = {name: (vector[None], np.ones(1)) for name, vector in rows}
                yield from self._predict(item, address, tokens, registry.CLS, end)
        self.skipped.add(failed, here, f"{address}/{registry.CLS}", source.scope)

    def _read(
        self, plans: Sequence[TokenPlan], address: str, rows: Iterable[Values], takes: str
    ) -> Iterator[Prediction]:
        """Yield the predictions for each plan and for its shuffled control."""
        for plan, pool in assemble(plans, rows):
            permutation = self._permutation(plan.item, address, plan.size)
            for end, shares in (("", plan.shares), (names.SHUFFLED, plan.shuffled(permutation))):
                yield from self._predict(plan.item, address, take(shares, pool), takes, end)

    def _predict(
        self, item: ReadoutItem, address: str, tokens: Mapping[str, Weighted], takes: str, end: str
    ) -> Iterator[Prediction]:
        """Yield the predictions of all readouts of the item's task that take this kind of token."""
        for name in registry.names(item.task, takes):
            scores, scale = score_choices(name, item, tokens)
            yield choose(item, (address, name + end), scores, scale, self.seed)

    def _permutation(self, item: ReadoutItem, address: str, size: int) -> np.ndarray:
        rng = generator("readout deal", *self.seed, address, item.item_id, item.seen)
        return rng.permutation(size)

    def _plan(
        self,
        source: ActivationSource,
        places_name: str,
        places: Sequence[np.ndarray],
        items: Sequence[ReadoutItem],
    ) -> list[TokenPlan]:
        if not any(np.isfinite(one[:, LEFT]).any() for one in places):
            self.skipped.note(
                f"{source.path}: tokens of {places_name} have no positions; nothing is read there"
            )
            return []
        # many addresses share token positions, and computing weights is half of the work
        items_hash = sha1("\n".join(f"{r.item_id} {r.seen}" for r in items).encode()).hexdigest()
        key = str(source.path), items_hash, *(sha1(one.tobytes()).hexdigest() for one in places)
        if key not in self.planned:
            self.planned[key] = plan_items(source, places, items, self.views)
        plans, failed = self.planned[key]
        self.skipped.add(failed, items, places_name, source.scope)
        return plans


def _stream(source: ActivationSource, address: str, plans: Sequence[TokenPlan]) -> Iterator[Values]:
    for row, (tokens,) in source.stream([address], rows_of(plans)):
        yield row, tokens


def _depths(rows: Iterable[Values], head: Callable[[np.ndarray], np.ndarray]) -> Iterator[Values]:
    for row, tokens in rows:
        yield row, head(tokens)[:, None]
