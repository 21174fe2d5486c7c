"""The answer position's attention to the regions that items are about."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from eyechart.core.address import REFERENT
from eyechart.inference.chosen_items import Item
from eyechart.models.attention_weights import collect_attention
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.unembedding import answering_blocks
from eyechart.tables.regions import CANVAS, Region, read_regions, referents
from eyechart.tables.token_boxes import coverage
from eyechart.tuning.questions import TunedItems

logger = logging.getLogger(__name__)
Marked = Sequence[tuple[Item, str, tuple[Region, ...]]]  # an item, and its regions on an image


class HiddenError(Exception):
    """Raised if a model does not return its attention."""


def marked(items: Sequence[Item], regions: Path | None, most: int) -> Marked:
    """Return the first items about regions of one image, with that image and these regions."""
    table = read_regions(regions, CANVAS) if regions else {}
    found = [
        (item, *about)
        for item in items
        if (about := referents(table.get(item["item_id"], {}), item).get(REFERENT))
    ]
    return found[:most]


def masses(questions: TunedItems, known: Marked) -> dict[str, float]:
    """Return the regions' share of attention, by item id; empty if weights are hidden.

    The share is the mean over blocks and heads for the prompt's last token.
    """
    adapter = questions.adapter
    if known and (adapter.spec.trust_remote_code or not adapter.image_id):
        logger.info("attention of family %s is not measured here", adapter.spec.family)
        return {}
    with torch.no_grad(), eager(adapter):
        found = {
            item["item_id"]: mass(questions, item, image, regions) for item, image, regions in known
        }
    return {name: value for name, value in found.items() if value is not None}


def mass(
    questions: TunedItems, item: Item, image: str, regions: tuple[Region, ...]
) -> float | None:
    """Return the attention of a prompt's last token to regions, or None if it is hidden."""
    try:
        attention, places = attention_on_images(questions, item)
    except HiddenError:
        return None
    covered = [
        np.clip(sum(coverage(own, r) for r in regions), 0, 1) if name == image else 0 * own[:, 0]
        for own, name in zip(places, item["images"], strict=True)
    ]
    return float(attention @ np.nan_to_num(np.concatenate(covered)))


def attention_on_images(questions: TunedItems, item: Item) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the attention of a prompt's last token to image tokens, and their boxes.

    Raise a HiddenError if the model does not return it.

    Returns
    -------
    ndarray, float32, shape (t,)
        The mean over blocks and heads.
    list of ndarray, float32, shape (t of the image, 7)
        Per image.
    """
    adapter, keys = questions.adapter, questions.keys(item, blank=False)
    row, encoded = questions.script(item, blank=False).row, questions.encode(keys)
    shown = [encoded[key] for key in keys]
    here = adapter.tokens([row], shown).image[0].cpu().numpy()
    addresses, family = adapter.addresses(), adapter.spec.family
    blocks = {name: addresses[name] for name in answering_blocks(list(addresses))[1]}
    if not here.any():
        raise HiddenError(f"prompts of family {family} have no image tokens")
    with collect_attention(adapter.model, blocks, len(here)) as weights:
        adapter.logits([row], shown, [[]])
    if not weights:
        raise HiddenError(f"no block of family {family} returns attention weights")
    places = [adapter.token_boxes(size, "lm", len(keys)) for _, size in keys]
    if (known := sum(map(len, places))) != here.sum():
        raise HiddenError(
            f"prompts have {here.sum()} image tokens, but {known} positions are known"
        )
    mean = torch.stack([own.mean(dim=0) for own in weights.values()]).mean(dim=0).numpy()
    return mean[here], places


@contextmanager
def eager(adapter: LanguageAdapter) -> Iterator[None]:
    """Let a model return attention weights within the ``with`` block, if it can."""
    before = getattr(adapter.text_config, "_attn_implementation", None)
    try:
        adapter.model.set_attn_implementation("eager")
    except (AttributeError, ValueError):  # no weights are then found
        before = None
    try:
        yield
    finally:
        if before:
            adapter.model.set_attn_implementation(before)
