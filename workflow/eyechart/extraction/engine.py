"""Extract one part, with forward passes scheduled so that shared prefixes are computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from eyechart.extraction.shards import join, take
from eyechart.inference import passes
from eyechart.inference.batches import AdaptiveBatchSize
from eyechart.inference.packing import PACK_TOKENS, fill
from eyechart.inference.preprocessing import PreparedBatch, Preparer, Prompt, ahead, held
from eyechart.inference.region_weights import Known, RowWeights, Weigher, items_of, joined
from eyechart.inference.token_positions import Locator
from eyechart.inference.workload import ExtractionPart, chunks
from eyechart.models.addresses import Column
from eyechart.models.families.base import Adapter, EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.families.prompts import Row

Emit = Callable[[Sequence[int], Mapping[str, Any]], None]  # arguments: row numbers, their values
Drop = Callable[[Mapping[int, str]], None]  # argument: reason for the lack of values, by row number


class Engine:
    """Extracts a model's activations over parts of a dataset.

    Parameters
    ----------
    shares_prefix : from the card; whether questions can share the prefix before them
    image_columns, item_columns : requested columns for each image, and for each question
    batches : images, whole prompts, or rows of packed questions per forward pass
    """

    def __init__(
        self,
        adapter: Adapter,
        shares_prefix: bool,
        image_columns: Sequence[Column],
        item_columns: Sequence[Column],
        batches: AdaptiveBatchSize,
    ) -> None:
        self.adapter, self.shares_prefix, self.batches = adapter, shares_prefix, batches
        self.regional = [c for c in item_columns if c.regional]
        early = [c for c in self.regional if self._encoded(c)]
        self.encoder_columns = [c for c in image_columns if c.address.component != "lm"] + early
        self.read_alone = [c for c in image_columns if c.address.component == "lm"]
        self.read_asked = [c for c in item_columns if c not in early]
        self.of_image, self.of_item = (Locator(adapter, c) for c in (image_columns, item_columns))
        known: Known = {}
        self.in_image, self.in_item = (Weigher(adapter, c, known) for c in (early, self.read_asked))
        self.kept: dict[int, dict[str, np.ndarray]] = {}  # pooled regions, until an item is emitted

    def _encoded(self, column: Column) -> bool:
        """Return whether a column's address runs in the encoder's pass, without a prompt."""
        component = column.address.component
        return component in ("vision", "connector") and self.adapter.scope(component) == "image"

    def run(
        self,
        part: ExtractionPart,
        emit_images: Emit,
        emit_items: Emit,
        drop_images: Drop = lambda _: None,
        drop_items: Drop = lambda _: None,
    ) -> Iterator[int]:
        """Emit all rows of a part; after each batch, yield its number of images.

        Rows of images and prompts that the model's own code rejects are dropped instead.
        """
        batches = list(chunks(part.order(), self.batches.size))
        alone, asked = bool(self.read_alone), bool(self.read_asked)
        prepare = Preparer(
            self.adapter,
            part,
            batches,
            alone=alone,
            asked=asked,
            of_image=self.of_image,
            of_item=self.of_item,
            in_image=self.in_image,
            in_item=self.in_item,
        )
        direct = part.due(batches) if self.regional and not asked else [{} for _ in batches]
        row = {image: i for i, image in enumerate(part.images)}
        encoded: dict[str, EncodedImage] = {}
        waiting = ahead(prepare, range(len(batches)), lambda batch: held(batch.images))
        for number, batch in enumerate(waiting):
            drop_items({i: prepare.lost[i] for i in batch.lost_items})
            drop_images({row[i]: prepare.images.found[i] for i in batch.lost_images if i in row})
            found, values = self._encode(batch, complete=alone or asked)
            encoded.update(zip(batch.image_ids, found, strict=False))
            own = [image for image in batch.image_ids if image in row]
            if self.shares_prefix:
                values |= self._read_shared(batch.prompts, encoded, own, emit_items)
            else:
                self._read_joint(batch.prompts, encoded, emit_items)
            if own and values:  # other parts' images come last in a batch and have no rows here
                values = {n: v[: len(own)] for n, v in values.items()}
                values |= self.of_image.columns(values, batch.places[: len(own)], own)
                emit_images([row[i] for i in own], values)
            encoded = {i: s for i, s in encoded.items() if prepare.last_use.get(i, -1) > number}
            due = [q.row for group in direct[number].values() for q in group]
            self._emit(emit_items, [i for i in due if i not in prepare.lost])
            yield len(batch.images) + len(batch.lost_images)
        imageless = [q for q in part.questions if not q.images]
        if asked:
            left = [prompt for q in imageless if (prompt := prepare.unless_lost(q)) is not None]
            drop_items({q.row: prepare.lost[q.row] for q in imageless if q.row in prepare.lost})
            self._read_joint(left, {}, emit_items)
        elif self.regional:
            self._emit(emit_items, [q.row for q in imageless])

    def _emit(
        self, emit: Emit, asked: Sequence[int | None], values: Mapping[str, Any] | None = None
    ) -> None:
        """Emit the rows of questions: their values, and the values pooled in their regions."""
        numbers = [number for number in asked if number is not None]
        if not numbers:
            return
        kept = [self.kept.pop(number, {}) for number in numbers]
        pooled = {}
        for column in self.regional:
            name, none = column.name, np.full(column.address.width, np.nan, np.float32)
            found = np.concatenate([own.get(name, none) for own in kept])  # faster than stacking
            pooled[name] = found.reshape(len(kept), -1)
        emit(numbers, {**(values or {}), **pooled})

    def _keep(self, pooled: dict[str, Any], rows: Sequence[RowWeights]) -> dict[str, Any]:
        """Keep the values pooled in regions, by item; return all other columns."""
        for column in self.regional:
            name = column.name
            if name in pooled:
                items = items_of(rows, column.span)
                for item, value in zip(items, pooled.pop(name), strict=True):
                    self.kept.setdefault(item, {})[name] = value
        return pooled

    def _encode(
        self, batch: PreparedBatch, complete: bool
    ) -> tuple[list[EncodedImage], dict[str, Any]]:
        """Return a batch's encoded images and its columns of image scope."""
        if not batch.images:
            return [], {}

        def encode(
            few: Sequence[tuple[PreparedImage, RowWeights]],
        ) -> tuple[list[EncodedImage], dict[str, Any]]:
            images, regions = zip(*few, strict=True)
            found, pooled = passes.encode_images(
                self.adapter, images, self.encoder_columns, complete, regions=regions
            )
            return found, passes.to_numpy(pooled)

        rows = list(zip(batch.images, batch.regions, strict=True))
        largest = max(held([image]) for image in batch.images)
        done = [
            (found, self._keep(pooled, [weights for _, weights in few]))
            for few, (found, pooled) in self.batches.over(rows, encode, "images", largest)
        ]
        encoded = [s for found, _ in done for s in found]
        names = list(done[0][1])
        return encoded, {name: join([values[name] for _, values in done]) for name in names}

    def _read_shared(
        self,
        prompts: Sequence[Prompt],
        encoded: Mapping[str, EncodedImage],
        own: Sequence[str],
        emit: Emit,
    ) -> dict[str, Any]:
        """Read each set of images once and each question after it; return the image columns.

        A single question about an image is read together with it, in one pass.
        """
        groups: dict[tuple[str, ...], list[Prompt]] = {}
        for prompt in prompts:
            groups.setdefault(prompt.image_ids, []).append(prompt)
        single = [g[0] for ids, g in groups.items() if len(ids) == len(g) == 1]
        single = [prompt for prompt in single if prompt.number is not None]
        done, parts = self._read_joint(single, encoded, emit, self.read_alone)
        for prompt in single:
            del groups[prompt.image_ids]
        prefixes = {ids: self._prefix(group) for ids, group in groups.items()}
        regions = {ids: joined([p.regions for p in group]) for ids, group in groups.items()}

        def read(chunk: Sequence[tuple[str, ...]]) -> tuple[passes.Prefix, dict[str, Any]]:
            prefix, pooled = passes.read_prefix(
                self._language(),
                [prefixes[ids] for ids in chunk],
                [encoded[image_id] for ids in chunk for image_id in ids],
                [*self.read_alone, *self.read_asked],
                regions=[regions[ids] for ids in chunk],
            )
            return prefix, passes.to_numpy(pooled)

        by_length = sorted(groups, key=lambda s: len(prefixes[s].ids))
        longest = max((len(row.ids) for row in prefixes.values()), default=0)
        for chunk, (prefix, pooled) in self.batches.over(by_length, read, "prefixes", longest):
            done += chunk
            parts.append(self._keep(pooled, [regions[ids] for ids in chunk]))
            self._read_rest(prefix, [groups[ids] for ids in chunk], prefixes, emit)
        order = [done.index((image,)) for image in own] if self.read_alone else []
        names = [c.name for c in self.read_alone]
        return {name: take(join([p[name] for p in parts]), order) for name in names if order}

    def _read_rest(
        self,
        prefix: passes.Prefix,
        groups: Sequence[Sequence[Prompt]],
        prefixes: Mapping[tuple[str, ...], Row],
        emit: Emit,
    ) -> None:
        packs: list[tuple[int, list[Prompt]]] = []  # with the index of the prefix
        for k, group in enumerate(groups):
            start = len(prefixes[group[0].image_ids].ids)
            asked = [p for p in group if p.number is not None]
            rests = [len(p.row.ids) - start for p in asked]
            packs += [(k, some) for some in fill(asked, rests, PACK_TOKENS)]
        starts = [len(prefixes[group[0].image_ids].ids) for group in groups]

        def length(pack: tuple[int, list[Prompt]]) -> int:
            return sum(len(p.row.ids) - starts[pack[0]] for p in pack[1])

        packs.sort(key=length)

        def read(few: Sequence[tuple[int, list[Prompt]]]) -> dict[str, Any]:
            index = [k for k, _ in few]
            ids = [[p.row.ids[starts[k] :] for p in some] for k, some in few]
            found = passes.read_questions(self._language(), prefix, index, ids, after)
            return passes.to_numpy(found)

        after = [c for c in self.read_asked if not c.regional]
        if not after:  # everything was pooled in the prefix
            self._emit(emit, [p.number for group in groups for p in group])
            return
        longest = length(packs[-1]) if packs else 0
        for few, values in self.batches.over(packs, read, "questions", longest):
            self._emit(emit, [p.number for _, some in few for p in some], values)

    def _read_joint(
        self,
        prompts: Sequence[Prompt],
        encoded: Mapping[str, EncodedImage],
        emit: Emit,
        alone: Sequence[Column] = (),
    ) -> tuple[list[tuple[str, ...]], list[dict[str, Any]]]:
        """Read whole prompts; return each prompt's images and each batch's columns ``alone``."""

        def read(few: Sequence[Prompt]) -> dict[str, Any]:
            own = [encoded[image_id] for p in few for image_id in p.image_ids]
            images = [image for p in few for image in p.images]
            rows = [p.row for p in few]
            found = passes.read_joint(
                self._language(),
                rows,
                images,
                own,
                [*alone, *self.read_asked],
                regions=[p.regions for p in few],
            )
            return passes.to_numpy(found)

        by_length = sorted(prompts, key=lambda p: len(p.row.ids))
        longest = max((len(p.row.ids) for p in prompts), default=0)
        done: list[tuple[str, ...]] = []
        parts: list[dict[str, Any]] = []
        for few, pooled in self.batches.over(by_length, read, "prompts", longest):
            done += [p.image_ids for p in few]
            parts.append({c.name: pooled.pop(c.name) for c in alone})
            named = [" and ".join(p.image_ids) for p in few]
            values = self._keep(pooled, [p.regions for p in few])
            places = self.of_item.columns(values, [p.places for p in few], named)
            self._emit(emit, [p.number for p in few], values | places)
        return done, parts

    def _prefix(self, group: Sequence[Prompt]) -> Row:
        """Return the common prefix of all prompts about the same images."""
        rows = [p.row for p in group]
        return passes.shared_prefix(self._language(), rows, group[0].image_ids[0])

    def _language(self) -> LanguageAdapter:
        assert isinstance(self.adapter, LanguageAdapter)
        return self.adapter
