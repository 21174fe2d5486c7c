"""Forward passes that leave behind pooled activations and nothing else.

Where the language model is causal and pictures come first, all that stands up to the last image
token, the prefix, is the same for every question: it is read once, its keys and values are kept,
and each question reads only its own tokens, packed in one row with others. Elsewhere every prompt
is read whole, the joint pass; the picture's features are computed once all the same.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from eyechart.errors import UserError
from eyechart.extraction.packing import pack
from eyechart.models.addresses import Column
from eyechart.models.families.base import Adapter, Picture
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.spans import Tokens, keep, pool, text_masks
from eyechart.models.taps import taps

Pooled = dict[str, Any]  # by column: Tensor (b, d), or b Tensors (tokens, d)


@dataclass(frozen=True)
class Prefix:
    """What was read up to the last image token of b prompts.

    Attributes
    ----------
    valid : bool, shape (b, s)
    cache : keys and values of the s positions
    means : by column ``<address>/all_mean``, float32, shape (b, d): the mean over the prefix alone
    """

    valid: Tensor
    cache: DynamicCache
    means: dict[str, Tensor]


def look(
    adapter: Adapter, pictures: Sequence[Picture], columns: Sequence[Column], go_on: bool
) -> tuple[Sequence[Tensor], Pooled]:
    """Run encoder and connector; give the pictures' features and their pooled activations.

    Unless ``go_on``, the pass ends at the deepest address asked for and there are no features.
    """
    pooled: Pooled = {}
    wanted = by_module(columns)

    def see(path: str, output: Tensor) -> None:
        here = wanted[path]
        hidden, masks = adapter.layout(here[0].address.region, output)
        pooled.update(reduce(hidden, masks, here))

    features: Sequence[Tensor] = ()
    with torch.inference_mode(), taps(adapter.model, wanted, see, stop=not go_on):
        if wanted or go_on:
            features = adapter.look(pictures)
    return features, pooled


def read_prefix(
    adapter: LanguageAdapter,
    rows: Sequence[Sequence[int]],
    features: Sequence[Tensor],
    columns: Sequence[Column],
) -> tuple[Prefix, Pooled]:
    """Read b prompts up to their last image token; pool the image columns on the way.

    Item columns are read as deep as they will be, for the sake of the keys and values.
    """
    tokens, cache = adapter.tokens(rows), adapter.new_cache()
    wanted = by_module(columns)
    masks = text_masks(tokens, adapter.spec.image_first)
    pooled: Pooled = {}
    means: Pooled = {}

    def see(path: str, hidden: Tensor) -> None:
        here = wanted[path]
        pooled.update(reduce(hidden, masks, [c for c in here if c.scope == "image"]))
        means.update(reduce(hidden, masks, [c for c in here if c.span == "all_mean"]))

    with torch.inference_mode(), taps(adapter.model, wanted, see, stop=True):
        adapter.read(tokens, tokens.valid, count(tokens), features, cache)
    return Prefix(tokens.valid, cache, means), pooled


def read_questions(
    adapter: LanguageAdapter,
    prefix: Prefix,
    index: Sequence[int],
    rows: Sequence[Sequence[Sequence[int]]],
    columns: Sequence[Column],
) -> Pooled:
    """Read b rows of questions, each row after the prefix in row ``index`` of the batch before.

    Returns
    -------
    dict of Tensor, by column, shape (q, d)
        Of all q questions, row after row.
    """
    tokens = adapter.tokens([[i for ids in row for i in ids] for row in rows])
    packed = pack(rows, adapter.device)
    masks, exists = packed.spans()
    wanted = by_module(columns)
    pooled: Pooled = {}

    def see(path: str, hidden: Tensor) -> None:
        found = reduce(hidden, masks, wanted[path])
        pooled.update({name: value[exists] for name, value in found.items()})

    with torch.inference_mode():
        which = torch.tensor(index, device=adapter.device)
        past = prefix.valid[which]  # (b, s)
        before = past.sum(dim=1, keepdim=True)
        with taps(adapter.model, wanted, see, stop=True):
            places = before + packed.offset
            cache = select(prefix, which)
            adapter.read(tokens, packed.mask(past), places, (), cache)
        own = masks["all_mean"].sum(dim=2)[exists][:, None]  # (q, 1)
        of = which[torch.nonzero(exists)[:, 0]]  # the prefix of each question, (q,)
        before = prefix.valid[of].sum(dim=1, keepdim=True)  # (q, 1)
        for name, mean in prefix.means.items():
            pooled[name] = (before * mean[of] + own * pooled[name]) / (before + own)
    return pooled


def read_joint(
    adapter: LanguageAdapter,
    rows: Sequence[Sequence[int]],
    features: Sequence[Tensor],
    columns: Sequence[Column],
) -> Pooled:
    """Read b prompts whole."""
    tokens = adapter.tokens(rows)
    masks = text_masks(tokens, adapter.spec.image_first)
    for column in columns:
        if column.span.startswith("image") and not bool(masks["image_mean"].any(dim=1).all()):
            raise UserError(f"{column.name}: a prompt without a picture has no image tokens")
    wanted = by_module(columns)
    pooled: Pooled = {}

    def see(path: str, hidden: Tensor) -> None:
        pooled.update(reduce(hidden, masks, wanted[path]))

    with torch.inference_mode(), taps(adapter.model, wanted, see, stop=True):
        adapter.read(tokens, tokens.valid, count(tokens), features, None)
    return pooled


def count(tokens: Tokens) -> Tensor:
    """Give the positions of prompts that begin here, int64 (b, t)."""
    return torch.arange(tokens.ids.shape[1], device=tokens.ids.device).expand(tokens.ids.shape)


def by_module(columns: Sequence[Column]) -> dict[str, list[Column]]:
    """Group columns by the module that they are read from."""
    grouped: dict[str, list[Column]] = {}
    for column in columns:
        grouped.setdefault(column.address.module, []).append(column)
    return grouped


def reduce(hidden: Tensor, masks: Mapping[str, Tensor], columns: Sequence[Column]) -> Pooled:
    """Pool one module's output (b, t, d) to the columns asked of it."""
    found: Pooled = {}
    means = {c.span: masks[c.span] for c in columns if c.span != "image_tokens"}
    pooled = pool(hidden, means) if means else {}
    for column in columns:
        whole = column.span == "image_tokens"
        found[column.name] = keep(hidden, masks[column.span]) if whole else pooled[column.span]
    return found


def select(prefix: Prefix, which: Tensor) -> DynamicCache:
    """Give a cache with some rows of a prefix's, which stays as it was.

    Layers of a cache grow by making new tensors, so sharing what is not selected is safe.
    """
    chosen = copy.copy(prefix.cache)
    chosen.layers = [copy.copy(layer) for layer in prefix.cache.layers]
    if which.tolist() != list(range(len(prefix.valid))):  # no copy where all rows are wanted
        chosen.batch_select_indices(which)
    return chosen


def to_numpy(pooled: Pooled) -> dict[str, Any]:
    """Bring pooled activations to the CPU: arrays (b, d), or lists of b arrays (tokens, d)."""
    return {
        name: [part.cpu().numpy() for part in value]
        if isinstance(value, list)
        else np.asarray(value.cpu().numpy())
        for name, value in pooled.items()
    }
