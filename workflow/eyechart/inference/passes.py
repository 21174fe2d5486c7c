"""Forward passes that return pooled activations.

If the language model is causal and images come first, everything up to the last image token, the
prefix, is the same for every question. It is read once, its KV cache is kept, and each question
adds only its own tokens, packed in one row with others. Otherwise every prompt is read in full
(joint pass); image features are still computed once.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eyechart.core.errors import UserError
from eyechart.inference.packing import pack
from eyechart.inference.region_weights import PassWeights, RowWeights
from eyechart.models.addresses import Column
from eyechart.models.families.base import Adapter, EncodedImage
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.families.prompts import Row
from eyechart.models.hooks import pass_mode, read_outputs
from eyechart.models.spans import Tokens, keep, pool

Pooled = dict[str, Any]  # by column: Tensor (b, d), or b Tensors (tokens, d)


@dataclass(frozen=True)
class Prefix:
    """Cached prefixes of b prompts, up to their last image tokens.

    Attributes
    ----------
    valid : bool, shape (b, s)
    seen : bool, shape (b, s); the positions that later tokens attend to: all valid ones if text
        sees images
    after : int64, shape (b, 1)
        The next position.
    cache : keys and values of the s positions
    means : mean over the prefix only, float32, shape (b, d), by column ``<address>/all_mean``
    """

    valid: Tensor
    seen: Tensor
    after: Tensor
    cache: Any
    means: dict[str, Tensor]


def encode_images(
    adapter: Adapter,
    images: Sequence[PreparedImage],
    columns: Sequence[Column],
    complete: bool,
    regions: Sequence[RowWeights] = (),
) -> tuple[list[EncodedImage], Pooled]:
    """Run the encoder and connector; return encoded images and pooled activations.

    Unless ``complete``, the pass stops at the deepest requested address and returns no encoded
    images. ``regions`` has the weights of each row's regions; their columns have a row per item, in
    order of rows.
    """
    if adapter.MAX_IMAGES_PER_PASS and len(images) > adapter.MAX_IMAGES_PER_PASS:
        n = adapter.MAX_IMAGES_PER_PASS
        parts = [(images[i : i + n], regions[i : i + n]) for i in range(0, len(images), n)]
        done = [encode_images(adapter, p, columns, complete, r) for p, r in parts]
        names = [c.name for c in columns]
        encoded = [s for found, _ in done for s in found]
        return encoded, {name: together([p[name] for _, p in done]) for name in names}
    pooled: Pooled = {}
    wanted, weights = by_module(columns), PassWeights(adapter, regions)

    def see(path: str, output: Any) -> None:
        here = wanted[path]
        hidden, masks = adapter.layout(here[0].address.component, output, images)
        pooled.update(reduce(hidden, masks, here, weights))

    found: list[EncodedImage] = []
    runs = adapter.runs(images)
    reading = read_outputs(adapter.model, wanted, see, stop=not complete, runs=runs)
    with pass_mode(), reading:
        if wanted or complete:
            found = adapter.encode_images(images)
    return found, pooled


def together(parts: Sequence[Any]) -> Any:
    """Join the pooled values of one column from several passes."""
    if isinstance(parts[0], list):
        return [row for part in parts for row in part]
    return torch.cat(list(parts))


def shared_prefix(adapter: LanguageAdapter, rows: Sequence[Row], image: str) -> Row:
    """Return the common prefix of all prompts about the same images, up to the last image token.

    Raise a UserError that names ``image`` if prefixes differ or a prompt ends with its prefix.
    """
    first = rows[0]
    end = adapter.prefix(first.ids)
    for row in rows:
        if row.ids[:end] != first.ids[:end] or adapter.prefix(row.ids) != end:
            raise UserError(
                f"{adapter.spec.checkpoint}: prompts about {image!r} differ "
                "before its last image token; set image_first: false in the model's spec"
            )
        if len(row.ids) == end:
            raise UserError(f"a prompt about {image!r} ends with its image")
    return Row(first.ids[:end], first.inputs)


def read_prefix(
    adapter: LanguageAdapter,
    rows: Sequence[Row],
    encoded: Sequence[EncodedImage],
    columns: Sequence[Column],
    gradients: bool = False,
    regions: Sequence[RowWeights] = (),
) -> tuple[Prefix, Pooled]:
    """Read b prompts up to their last image token; pool the columns of image scope and of regions.

    Blocks needed only for item columns also run, because their keys and values are needed later.
    With ``gradients``, the pass keeps the gradients of activations.
    """
    tokens, cache = adapter.tokens(rows, encoded), adapter.new_cache()
    wanted = by_module(columns)
    masks, weights = adapter.masks(tokens), PassWeights(adapter, regions)
    pooled: Pooled = {}
    means: Pooled = {}

    def see(path: str, hidden: Tensor) -> None:
        here = wanted[path]
        due = [c for c in here if c.scope == "image" or c.regional]
        pooled.update(reduce(hidden, masks, due, weights))
        means.update(reduce(hidden, masks, [c for c in here if c.span == "all_mean"]))

    with pass_mode(gradients), read_outputs(adapter.model, wanted, see, stop=True):
        positions = adapter.positions(tokens)
        adapter.read(tokens, positions=positions, cache=cache)
    seen = adapter.seen_later(tokens)
    return Prefix(tokens.valid, seen, after(tokens, positions), cache, means), pooled


def after(tokens: Tokens, positions: Tensor | None) -> Tensor:
    """Return the position after each row's last token, int64 (b, 1)."""
    if positions is None:
        return tokens.valid.sum(dim=1, keepdim=True)
    highest = positions if positions.ndim == 2 else positions.amax(dim=0)
    return torch.where(tokens.valid, highest, -1).amax(dim=1, keepdim=True) + 1


def read_questions(
    adapter: LanguageAdapter,
    prefix: Prefix,
    index: Sequence[int],
    rows: Sequence[Sequence[Sequence[int]]],
    columns: Sequence[Column],
) -> Pooled:
    """Read b rows of packed questions, each row after the prefix in row ``index`` of ``prefix``.

    Result: dict of Tensor, by column, shape (q, d), for all q questions in order of rows.
    """
    tokens = adapter.tokens([Row([i for ids in row for i in ids]) for row in rows])
    packed = pack(rows, adapter.device)
    masks, exists = packed.spans()
    wanted = by_module(columns)
    pooled: Pooled = {}

    def see(path: str, hidden: Tensor) -> None:
        found = reduce(hidden, masks, wanted[path])
        pooled.update({name: value[exists] for name, value in found.items()})

    with pass_mode():
        which = torch.tensor(index, device=adapter.device)
        past = prefix.seen[which]  # (b, s)
        with read_outputs(adapter.model, wanted, see, stop=True):
            places = prefix.after[which] + packed.offset
            adapter.read(tokens, packed.mask(past), places, select(prefix, which))
        own = masks["all_mean"].sum(dim=2)[exists][:, None]  # (q, 1)
        of = which[torch.nonzero(exists)[:, 0]]  # the prefix of each question, (q,)
        before = prefix.valid[of].sum(dim=1, keepdim=True)  # (q, 1)
        for name, mean in prefix.means.items():
            pooled[name] = (before * mean[of] + own * pooled[name]) / (before + own)
    return pooled


def read_joint(
    adapter: LanguageAdapter,
    rows: Sequence[Row],
    images: Sequence[PreparedImage],
    encoded: Sequence[EncodedImage],
    columns: Sequence[Column],
    regions: Sequence[RowWeights] = (),
) -> Pooled:
    """Read b whole prompts about images, which are given in order; return the pooled columns."""
    wanted, weights = by_module(columns), PassWeights(adapter, regions)
    pooled: Pooled = {}
    with pass_mode():
        tokens = adapter.tokens(rows, encoded)
        masks = adapter.masks(tokens)
        for column in columns:
            if column.span.startswith("image") and not bool(masks["image_mean"].any(dim=1).all()):
                raise UserError(f"{column.name}: a prompt without an image has no image tokens")

        def see(path: str, output: Any) -> None:
            here = wanted[path]
            component = here[0].address.component
            own = adapter.layout(component, output, images) if component == "connector" else None
            hidden, spans = own or (output, masks)
            if component == "decoder":
                spans = {"last": last_of(output)}
            pooled.update(reduce(hidden, spans, here, weights))

        with read_outputs(adapter.model, wanted, see, stop=True):
            adapter.read(tokens)
    return pooled


def last_of(hidden: Tensor) -> Tensor:
    """Return the mask (b, t) of the last token in hidden states (b, t, d)."""
    mask = torch.zeros(hidden.shape[:2], dtype=torch.bool, device=hidden.device)
    mask[:, -1] = True
    return mask


def by_module(columns: Sequence[Column]) -> dict[str, list[Column]]:
    """Group columns by module."""
    grouped: dict[str, list[Column]] = {}
    for column in columns:
        grouped.setdefault(column.address.module, []).append(column)
    return grouped


def reduce(
    hidden: Tensor,
    masks: Mapping[str, Tensor],
    columns: Sequence[Column],
    weights: PassWeights | None = None,
) -> Pooled:
    """Pool one module's output (b, t, d) into the requested columns.

    A model's blocks can be on different devices, so pooled values are moved to the device of the
    masks. A column of regions has a row per item in ``weights``.
    """
    found: Pooled = {}
    here, home = hidden.device, next(iter(masks.values())).device
    if weights and any(c.regional for c in columns):
        masks = {**masks, **weights.masks(columns, masks["image_tokens"])}
    spans = {c.span: masks[c.span].to(here) for c in columns}
    means = {span: mask for span, mask in spans.items() if span != "image_tokens"}
    pooled = pool(hidden, means) if means else {}
    for column in columns:
        if column.span == "image_tokens":
            found[column.name] = [part.to(home) for part in keep(hidden, spans[column.span])]
        elif weights and column.regional:
            found[column.name] = weights.flat(column.span, pooled[column.span]).to(home)
        else:
            found[column.name] = pooled[column.span].to(home)
    return found


def select(prefix: Prefix, which: Tensor) -> Any:
    """Return a cache with some rows of a prefix's cache, which stays unchanged.

    The layers of a cache grow by creating new tensors, so sharing them is safe.
    """
    chosen = copy.copy(prefix.cache)
    chosen.layers = [copy.copy(layer) for layer in prefix.cache.layers]
    if which.tolist() != list(range(len(prefix.valid))):  # no copy if all rows are wanted
        chosen.batch_select_indices(which)
    return chosen


def to_numpy(pooled: Pooled) -> dict[str, Any]:
    """Convert pooled activations to arrays (b, d), or lists of b arrays (tokens, d)."""
    return {
        name: [part.cpu().numpy() for part in value]
        if isinstance(value, list)
        else np.asarray(value.cpu().numpy())
        for name, value in pooled.items()
    }
