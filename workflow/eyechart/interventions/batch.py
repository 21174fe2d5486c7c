"""Answer a batch of items under changes; all interventions run in this loop.

If prompts share a prefix, changes that do not affect the image tokens reuse their KV cache, and a
change of all image tokens from some block onwards mixes two caches. Otherwise the prefix is read
again, once per set of images if the change depends only on the images. Blocks before the first
change do not run again; their output is cached for one block at a time. If prompts share no prefix,
they are read in full. Both ways give the same numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from eyechart.core.address import CONNECTOR, LM, parse
from eyechart.core.errors import UserError
from eyechart.inference import passes, prefix_cache, whole_prompts
from eyechart.inference.passes import Prefix
from eyechart.interventions.asked import OWN, REGIONS, AskedItem, matched_tokens
from eyechart.interventions.changes import (
    FEATURES,
    IMAGE,
    PREFIX,
    REST,
    WHOLE,
    Change,
    Cut,
    Pass,
    Write,
    taken,
)
from eyechart.interventions.prompts import Entry, Prompts, region_masks
from eyechart.interventions.reader import Reader, features_of, padded_features
from eyechart.models.families.base import EncodedImage
from eyechart.models.hooks import first_output, pass_mode, read_outputs, skipped

Scores = list[list[float]]  # by item, the log-probability of each choice
Cached = tuple[Prefix, list[int]]  # prefixes, and the row of each item's prefix


class Batch:
    """Items whose prompts are read together, on their own images or on their donors'."""

    def __init__(self, reader: Reader, asked: Sequence[AskedItem]) -> None:
        self.reader, self.adapter, self.asked = reader, reader.adapter, asked
        self.prompts = Prompts(reader, asked)
        self._prefixes: dict[str, Cached] = {}
        self._rests: dict[str, tuple[list[prefix_cache.Line], Pass]] = {}
        self._states: dict[tuple[str, str, str], Tensor] = {}
        self._outputs: dict[tuple[int, str, str, int], Any] = {}  # of blocks in unchanged passes
        every = {image for one in asked for images in one.shown.values() for image in images}
        reader.encode(sorted(every))

    def answers(self, whose: str = OWN, changes: Sequence[Change] = ()) -> Scores:
        """Return the log-probabilities of each item's choices, on its own images or a donor's."""
        with pass_mode():
            if not self.reader.shares_prefix:
                return self._read_whole(whose, changes)
            early = [c for c in changes if c.runs_in(FEATURES) or c.runs_in(PREFIX)]
            cached = self._read_prefix(whose, early) if early else self._prefix(whose)
            unchanged = min((c.unchanged for c in changes), default=0)
            return self._read_rest(whose, cached, changes, unchanged)

    def mixed(self, whose: str, other: str, address: str) -> Scores:
        """Return the answers if all image tokens after an address come from ``other`` images.

        If the prefix is shared, blocks up to the address keep the keys and values of their own
        images, and later blocks get the others'.
        """
        if address == CONNECTOR:  # everything that the language model reads from the images
            return self.answers(other)
        if not self.reader.shares_prefix:
            return self.answers(whose, [taken(address, IMAGE, other)])
        with pass_mode():
            (first, index), (second, _) = self._prefix(whose), self._prefix(other)
            keep = (parse(address).block or 0) + 1
            cache = copy.copy(second.cache)
            cache.layers = [*first.cache.layers[:keep], *second.cache.layers[keep:]]
            return self._read_rest(whose, (replace(second, cache=cache), index), [], keep)

    def image_states(self, addresses: Sequence[str]) -> dict[str, list[Tensor]]:
        """Return the states (image tokens, d) of each item's own images, by address, on the CPU.

        One pass reads all blocks of the language model.
        """
        rows, index = self._rows(OWN, shared=self.reader.shares_prefix)
        blocks = [address for address in addresses if address != CONNECTOR]
        found: dict[str, list[Tensor]] = {}
        with pass_mode():
            if CONNECTOR in addresses:
                encoded = self.prompts.encoded(OWN, rows)
                found[CONNECTOR] = [features_of(own).cpu() for own in encoded]
            if blocks and self.reader.shares_prefix:
                image = self.prompts.prefix(OWN, rows)[1].image
                found |= self._image_states(blocks, image, lambda: self._read_prefix(OWN, []))
            elif blocks:
                first = [(n, 0) for n in rows]
                image = self.prompts.whole(OWN, first).image
                read = partial(self._read_whole, OWN, [], first)
                found |= self._image_states(blocks, image, read)
        return {address: [states[row] for row in index] for address, states in found.items()}

    def _image_states(
        self, blocks: Sequence[str], image: Tensor, read: Callable[[], Any]
    ) -> dict[str, list[Tensor]]:
        """Return the states of each row's image tokens in a pass, by block."""
        if not image.any():
            raise self._without(", ".join(blocks), IMAGE)
        found = {}

        def keep(path: str, hidden: Tensor) -> None:
            found[path] = [own[mask].cpu() for own, mask in zip(hidden, image, strict=True)]

        paths = {block: self.adapter.module_path(block) for block in blocks}
        with read_outputs(self.adapter.model, paths.values(), keep, stop=True):
            read()
        return {block: found[path] for block, path in paths.items()}

    # Reading

    def _rows(self, whose: str, shared: bool) -> tuple[list[int], list[int]]:
        """Return the items to read, one per set of images if shared, and each item's row."""
        keys = [one.shown[whose] if shared else n for n, one in enumerate(self.asked)]
        first: dict[Any, int] = {}
        for n, key in enumerate(keys):
            first.setdefault(key, n)
        order = list(first)
        return list(first.values()), [order.index(key) for key in keys]

    def _prefix(self, whose: str) -> Cached:
        """Return the prefixes of unchanged images, one row per item so that no read copies them."""
        if whose not in self._prefixes:
            prefix, index = self._read_prefix(whose, [])
            which = torch.tensor(index, device=self.adapter.device)
            masks = (prefix.valid[which], prefix.seen[which], prefix.after[which])
            own = Prefix(*masks, passes.select(prefix, which), {})
            self._prefixes[whose] = own, list(range(len(index)))
        return self._prefixes[whose]

    def _read_prefix(
        self, whose: str, changes: Sequence[Change], shared: bool | None = None
    ) -> Cached:
        """Read prefixes, once per set of images if ``shared`` (None: if the changes allow it)."""
        shared = all(change.shared for change in changes) if shared is None else shared
        unchanged = min((change.unchanged for change in changes), default=0)
        rows, index = self._rows(whose, shared)
        encoded = [one for own in self._encoded(whose, rows, changes) for one in own]
        starts, one = self.prompts.prefix(whose, rows)

        skip = self._skip(unchanged, one, lambda: self._read_prefix(whose, [], shared))
        with self._opened(one, changes), skip:
            prefix, _ = passes.read_prefix(self.adapter, starts, encoded, [])
        if unchanged:
            own, which = self._prefix(whose)[0], torch.tensor(rows, device=self.adapter.device)
            cache = copy.copy(own.cache)
            cache.layers = own.cache.layers[:unchanged]
            prefix.cache.layers[:unchanged] = passes.select(replace(own, cache=cache), which).layers
        return prefix, index

    def _read_rest(
        self, whose: str, cached: Cached, changes: Sequence[Change], unchanged: int = 0
    ) -> Scores:
        """Read the tokens after the prefixes; the first blocks may be skipped if unchanged."""
        if whose not in self._rests:
            self._rests[whose] = self.prompts.rest(whose)
        lines, one = self._rests[whose]
        plain = self._prefix(whose)
        skip = self._skip(unchanged, one, lambda: self._read_rest(whose, plain, []))
        with self._opened(one, changes), skip:
            found = prefix_cache.read(self.adapter, *cached, lines, 1)
        return [scores for scores, _ in found]

    def _skip(
        self, unchanged: int, one: Pass, again: Callable[[], Any]
    ) -> AbstractContextManager[None]:
        """Return a context that skips the first blocks; ``again`` runs the unchanged pass."""
        if not unchanged:
            return nullcontext()
        paths = [self.adapter.module_path(f"{LM}.{n}") for n in range(unchanged)]
        key = (unchanged, one.part, one.whose, len(one.rows))
        if key not in self._outputs:
            if any(known[0] != unchanged for known in self._outputs):
                self._outputs.clear()  # keep one block at a time
            with first_output(self.adapter.model, paths[-1]) as found:
                again()
            self._outputs[key] = found[0]
        return skipped(self.adapter.model, paths, self._outputs[key])

    def _read_whole(
        self, whose: str, changes: Sequence[Change], some: Sequence[Entry] | None = None
    ) -> Scores:
        every = range(len(self.asked))
        scripts = [self.prompts.script(whose, n) for n in every]
        entries = some or self.prompts.entries(whose)
        encoded = self._encoded(whose, every, changes)
        with self._opened(self.prompts.whole(whose, entries), changes):
            done = whole_prompts.score_entries(self.adapter, scripts, encoded, entries)
        found: Scores = [[0.0] * len(s.choices) for s in scripts]
        for n, c, value in done:
            found[n][c] = value
        return found

    def _read_at(self, address: str, read: Callable[[], Any]) -> Tensor:
        """Return the states at an address in a pass, which ends there."""
        found: dict[str, Tensor] = {}
        path = self.adapter.module_path(address)
        with read_outputs(self.adapter.model, [path], found.__setitem__, stop=True):
            read()
        return found[path]

    # Changing

    def _encoded(
        self, whose: str, rows: Sequence[int], changes: Sequence[Change]
    ) -> list[list[EncodedImage]]:
        """Return the changed inputs of the language model for the images of some items."""
        plain = self.prompts.encoded(whose, rows)
        writes = [c for c in changes if isinstance(c, Write) and c.runs_in(FEATURES)]
        if not writes:
            return plain
        hidden, valid = padded_features(plain)
        spans = {IMAGE: valid, **region_masks([self.asked[n] for n in rows], valid, whose)}
        one = Pass(FEATURES, whose, rows, spans, valid, valid.shape[1])
        for write in writes:
            new = write.new(hidden, self._sources(one, write)).to(hidden)
            hidden = torch.where(one.spans[write.span][..., None], new, hidden)
        found = []
        for own, row, mask in zip(plain, hidden, valid, strict=True):
            parts = row[mask].split([len(e.features) for e in own])
            found.append([replace(e, features=f) for e, f in zip(own, parts, strict=True)])
        return found

    @contextmanager
    def _opened(self, one: Pass, changes: Sequence[Change]) -> Iterator[None]:
        """Apply changes to a pass of the language model within the context."""
        here = [change for change in changes if change.runs_in(one.part)]
        for address, span in (change.tokens for change in here):
            if span not in REGIONS and not one.has(span, address):
                raise self._without(address, span)
        states = [self._sources(one, change) for change in here]  # read before anything is changed
        with ExitStack() as stack:
            for change, given in zip(here, states, strict=True):
                stack.enter_context(change.opens(self.adapter, one, given))
            yield

    def _without(self, address: str, span: str) -> UserError:
        family = self.adapter.spec.family
        return UserError(f"{address}: prompts of family {family} have no tokens of the {span}")

    def _sources(self, one: Pass, change: Change) -> dict[str, Tensor]:
        """Return the states that a change takes from other images for a pass's tokens."""
        if isinstance(change, Cut):
            return {}
        at = change.address, change.span
        return {whose: self._states_of(one, whose, *at) for whose in change.sources}

    def _states_of(self, one: Pass, whose: str, address: str, span: str) -> Tensor:
        """Return the unchanged states of a pass's tokens on other images: (b, t, d).

        Tokens of a region get the states of the donor region's tokens at matching offsets from its
        centre.
        """
        key = (one.part, whose, address)
        if key not in self._states:
            if any(known[2] != address for known in self._states):
                self._states.clear()  # keep one address at a time
            self._states[key] = self._capture(*key)
        found = self._states[key]
        found = found if one.part == WHOLE else found[torch.tensor(one.rows, device=found.device)]
        if span not in REGIONS or whose == one.whose:
            return found
        index = torch.arange(found.shape[1], device=found.device).repeat(len(found), 1)
        for row, n in enumerate(one.rows):
            regions = self.asked[n].regions
            if self.asked[n].has(span, one.whose, whose):
                own = torch.nonzero(one.image[row, -one.t :])[:, 0]
                twin = torch.from_numpy(
                    matched_tokens(regions[one.whose][span], regions[whose][span])
                )
                index[row, own] = own[twin.to(own.device)]
        return found.gather(1, index[..., None].expand_as(found))

    def _capture(self, part: str, whose: str, address: str) -> Tensor:
        """Return the states at an address of an unchanged pass, one row per item or prompt."""
        if part == FEATURES:
            return padded_features(self.prompts.encoded(whose, range(len(self.asked))))[0]
        if part == WHOLE:
            return self._read_at(address, lambda: self._read_whole(whose, []))
        if part == REST:
            cached = self._prefix(whose)
            return self._read_at(address, lambda: self._read_rest(whose, cached, []))
        hidden = self._read_at(address, lambda: self._read_prefix(whose, []))
        return hidden[torch.tensor(self._rows(whose, True)[1], device=hidden.device)]
