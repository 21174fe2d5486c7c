"""Every readout at every address that has image tokens, one column at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from itertools import groupby
from typing import Protocol

import numpy as np

from eyechart.core.randomness import generator
from eyechart.readout.choose import Prediction, predict, score
from eyechart.readout.depth.linear import Linear
from eyechart.readout.items import ReadoutItem
from eyechart.readout.odd_one_out import score_odd
from eyechart.readout.skipped import Told
from eyechart.readout.token_plans import LEFT, ReadoutPlan, gather, plan_readings, rows_of
from eyechart.readout.tokens import ActivationSource
from eyechart.tables import readouts as names
from eyechart.tables.regions import ALONE

Values = tuple[int, np.ndarray]  # a row and its tokens (t, d)
Planned = tuple[list[ReadoutPlan], list[tuple[ReadoutItem, str]]]
HOW = {
    **dict.fromkeys(names.CORRESPONDENCE, names.POINTS),
    names.ART: names.GRAM,
    names.ODD: names.MEAN,
    names.DEPTH: names.DEPTH_LINEAR,
}


class DepthMapHead(Protocol):
    """A head that gives a finer map of depths from the tokens at several addresses."""

    @property
    def addresses(self) -> list[str]:
        """Return the addresses whose tokens it takes, all of one stage."""

    def finer(self, places: np.ndarray) -> np.ndarray:
        """Return where the cells of the map lie, (cells, 7), from where the tokens do, (t, 7)."""

    def __call__(self, tokens: list[np.ndarray], places: np.ndarray) -> np.ndarray:
        """Return the depths of the cells, (cells,)."""


@dataclass(frozen=True)
class ReadoutContext:
    """What all readings have in common.

    Attributes
    ----------
    readings : list of ReadoutItem
    seed : tuple of str and int
        The dataset and the configuration's seed.
    views : dict of int
        How many views each picture has by itself.
    told : Told
        Takes what could not be read, and why.
    planned : dict
        Plans that are made already, by where tokens lie.
    """

    readings: list[ReadoutItem]
    seed: tuple[str, int]
    views: Mapping[str, int]
    told: Told
    planned: dict[tuple[str, ...], Planned] = field(default_factory=dict)

    def tokens(
        self, source: ActivationSource, addresses: Sequence[str], heads: Mapping[str, Linear]
    ) -> Iterator[Prediction]:
        """Read all tasks from the tokens at addresses; depth order where there is a head."""
        for stage, own in groupby(addresses, source.stage):
            plans = self._plan(source, stage, source.places(stage), self.readings)
            depth = [plan for plan in plans if plan.reading.task == names.DEPTH]
            others = [plan for plan in plans if plan.reading.task != names.DEPTH]
            for address in own:
                if others:
                    yield from self._read(others, address, _stream(source, address, others), HOW)
                if depth and address in heads:
                    rows = _depths(_stream(source, address, depth), heads[address])
                    yield from self._read(depth, address, rows, HOW)
                elif depth and heads:
                    self.told.note(f"no depth head stands for {address}: no depth order there")

    def depth_map(self, source: ActivationSource, head: DepthMapHead) -> Iterator[Prediction]:
        """Read depth order from a head over several blocks of the encoder."""
        stage = source.stage(head.addresses[0])
        places = source.places(stage)
        finer = [head.finer(one) for one in places]
        depth = [r for r in self.readings if r.task == names.DEPTH]
        plans = self._plan(source, stage, finer, depth)

        def rows() -> Iterator[Values]:
            for row, tokens in source.stream(head.addresses, rows_of(plans)):
                yield row, head(tokens, places[row])[:, None]

        yield from self._read(plans, names.MANY, rows(), {names.DEPTH: names.DEPTH_DPT})

    def class_tokens(self, source: ActivationSource, address: str) -> Iterator[Prediction]:
        """Read the odd one out from the class tokens of pictures by themselves."""
        vectors = source.vectors(address).astype(np.float64)
        here = [r for r in self.readings if (r.task, r.seen) == (names.ODD, ALONE)]
        failed = []
        for reading in here:
            pictures = [reading.regions[letter][0] for letter in reading.letters]
            if not all(picture in source.rows for picture in pictures):
                failed.append((reading, "the model was not shown the picture in this way"))
                continue
            own = vectors[[source.rows[picture] for picture in pictures]]
            deal = self._deal(reading, address, len(own))
            for end, order in (("", np.arange(len(own))), (names.SHUFFLED, deal)):
                at = (address, names.CLS + end)
                yield predict(reading, at, score_odd(own[order]), 1.0, self.seed)
        self.told.unread(failed, here, f"{address}/{names.CLS}", source.scope)

    def _read(
        self,
        plans: Sequence[ReadoutPlan],
        address: str,
        rows: Iterable[Values],
        how: Mapping[str, str],
    ) -> Iterator[Prediction]:
        """Read each plan and its control."""
        for plan, pool in gather(plans, rows):
            deal = self._deal(plan.reading, address, plan.size)
            for end, shares in (("", plan.shares), (names.SHUFFLED, plan.dealt(deal))):
                at = (address, how[plan.reading.task] + end)
                yield predict(plan.reading, at, *score(plan.reading, shares, pool), self.seed)

    def _deal(self, reading: ReadoutItem, address: str, size: int) -> np.ndarray:
        rng = generator("readout deal", *self.seed, address, reading.item_id, reading.seen)
        return rng.permutation(size)

    def _plan(
        self,
        source: ActivationSource,
        stage: str,
        places: Sequence[np.ndarray],
        readings: Sequence[ReadoutItem],
    ) -> list[ReadoutPlan]:
        if not any(np.isfinite(one[:, LEFT]).any() for one in places):
            self.told.note(f"{source.path}: tokens of {stage} lie nowhere; nothing is read there")
            return []
        # tokens often lie alike at all stages, and weighing them is half of the work
        asked = sha1("\n".join(f"{r.item_id} {r.seen}" for r in readings).encode()).hexdigest()
        key = str(source.path), asked, *(sha1(one.tobytes()).hexdigest() for one in places)
        if key not in self.planned:
            self.planned[key] = plan_readings(source, places, readings, self.views)
        plans, failed = self.planned[key]
        self.told.unread(failed, readings, stage, source.scope)
        return plans


def _stream(
    source: ActivationSource, address: str, plans: Sequence[ReadoutPlan]
) -> Iterator[Values]:
    for row, (tokens,) in source.stream([address], rows_of(plans)):
        yield row, tokens


def _depths(rows: Iterable[Values], head: Callable[[np.ndarray], np.ndarray]) -> Iterator[Values]:
    for row, tokens in rows:
        yield row, head(tokens)[:, None]
