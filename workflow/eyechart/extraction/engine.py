"""One part from its first picture to its last: what is read when, and what each pass is spared."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from eyechart.errors import UserError
from eyechart.extraction import passes
from eyechart.extraction.packing import PACK_TOKENS, fill
from eyechart.extraction.plan import Part, chunks
from eyechart.extraction.prepare import Preparer, Prompt, ahead
from eyechart.extraction.shards import join, take
from eyechart.models.addresses import Column
from eyechart.models.families.base import Adapter
from eyechart.models.families.language import LanguageAdapter

PREFETCH = 2  # batches prepared ahead of the model

Emit = Callable[[Sequence[int], Mapping[str, Any]], None]  # takes row numbers and their values


class Engine:
    """Extracts parts of a dataset with one model.

    Parameters
    ----------
    shares_prefix : bool
        From the card: whether questions may share what is read before them.
    image_columns, item_columns : sequences of Column
        What is asked of each picture, and of each question.
    batch_size : int
        Pictures, prompts read whole, or rows of packed questions in one forward pass.
    """

    def __init__(
        self,
        adapter: Adapter,
        shares_prefix: bool,
        image_columns: Sequence[Column],
        item_columns: Sequence[Column],
        batch_size: int,
    ) -> None:
        self.adapter, self.shares_prefix, self.batch_size = adapter, shares_prefix, batch_size
        self.seen = [c for c in image_columns if c.address.region != "lm"]
        self.read_alone = [c for c in image_columns if c.address.region == "lm"]
        self.read_asked = list(item_columns)

    def run(self, part: Part, emit_images: Emit, emit_items: Emit) -> Iterator[int]:
        """Emit all rows of a part; after each batch, give how many pictures it had."""
        batches = list(chunks(part.order(), self.batch_size))
        alone, asked = bool(self.read_alone), bool(self.read_asked)
        prepare = Preparer(self.adapter, part, batches, alone=alone, asked=asked)
        last_use = {i: b for b, due in enumerate(prepare.due) for images in due for i in images}
        row = {image: i for i, image in enumerate(part.images)}
        features: dict[str, Tensor] = {}
        for number, batch in enumerate(ahead(prepare, range(len(batches)), PREFETCH)):
            found, pooled = passes.look(self.adapter, batch.pictures, self.seen, alone or asked)
            features.update(zip(batch.images, found, strict=False))
            values = passes.to_numpy(pooled)
            own = [image for image in batch.images if image in row]
            if self.shares_prefix:
                values |= self._read_shared(batch.prompts, features, own, emit_items)
            else:
                self._read_joint(batch.prompts, features, emit_items)
            if own and values:  # other parts' pictures come last in a batch and have no row here
                emit_images([row[i] for i in own], {n: v[: len(own)] for n, v in values.items()})
            features = {i: f for i, f in features.items() if last_use.get(i, -1) > number}
            yield len(batch.images)
        if asked:
            text_alone = [prepare.prompt(q) for q in part.questions if not q.images]
            self._read_joint(text_alone, {}, emit_items)

    def _read_shared(
        self,
        prompts: Sequence[Prompt],
        features: Mapping[str, Tensor],
        own: Sequence[str],
        emit: Emit,
    ) -> dict[str, Any]:
        """Read each set of pictures once and each question after it; give the image columns."""
        groups: dict[tuple[str, ...], list[Prompt]] = {}
        for prompt in prompts:
            groups.setdefault(prompt.images, []).append(prompt)
        prefixes = {images: self._prefix(group) for images, group in groups.items()}
        done: list[tuple[str, ...]] = []
        parts: list[dict[str, Any]] = []
        for chunk in chunks(sorted(groups, key=lambda s: len(prefixes[s])), self.batch_size):
            prefix, pooled = passes.read_prefix(
                self._language(),
                [prefixes[images] for images in chunk],
                [features[image] for images in chunk for image in images],
                [*self.read_alone, *self.read_asked],
            )
            done += chunk
            parts.append(passes.to_numpy(pooled))
            self._read_rest(prefix, [groups[images] for images in chunk], prefixes, emit)
        order = [done.index((image,)) for image in own] if self.read_alone else []
        names = [c.name for c in self.read_alone]
        return {name: take(join([p[name] for p in parts]), order) for name in names if order}

    def _read_rest(
        self,
        prefix: passes.Prefix,
        groups: Sequence[Sequence[Prompt]],
        prefixes: Mapping[tuple[str, ...], list[int]],
        emit: Emit,
    ) -> None:
        packs: list[tuple[int, list[Prompt]]] = []  # by number of the prefix
        for k, group in enumerate(groups):
            start = len(prefixes[group[0].images])
            asked = [Prompt(p.images, p.ids[start:], p.row) for p in group if p.row is not None]
            packs += [(k, some) for some in fill(asked, [len(p.ids) for p in asked], PACK_TOKENS)]
        packs.sort(key=lambda pack: sum(len(p.ids) for p in pack[1]))
        for few in chunks(packs, self.batch_size):
            index = [k for k, _ in few]
            ids = [[p.ids for p in some] for _, some in few]
            values = passes.read_questions(self._language(), prefix, index, ids, self.read_asked)
            rows = [p.row for _, some in few for p in some if p.row is not None]
            emit(rows, passes.to_numpy(values))

    def _read_joint(
        self, prompts: Sequence[Prompt], features: Mapping[str, Tensor], emit: Emit
    ) -> None:
        for few in chunks(sorted(prompts, key=lambda p: len(p.ids)), self.batch_size):
            seen = [features[image] for p in few for image in p.images]
            ids = [p.ids for p in few]
            values = passes.read_joint(self._language(), ids, seen, self.read_asked)
            emit([p.row for p in few if p.row is not None], passes.to_numpy(values))

    def _prefix(self, group: Sequence[Prompt]) -> list[int]:
        """Give the token ids that all prompts about the same pictures open with."""
        end = self._language().prefix(group[0].ids)
        prefix = group[0].ids[:end]
        for prompt in group:
            if prompt.ids[:end] != prefix or self._language().prefix(prompt.ids) != end:
                raise UserError(
                    f"{self.adapter.spec.checkpoint}: prompts about {prompt.images[0]!r} differ "
                    "before its last image token; set image_first: false in the model's spec"
                )
            if len(prompt.ids) == end:
                raise UserError(f"a prompt about {prompt.images[0]!r} ends with its picture")
        return prefix

    def _language(self) -> LanguageAdapter:
        assert isinstance(self.adapter, LanguageAdapter)
        return self.adapter
