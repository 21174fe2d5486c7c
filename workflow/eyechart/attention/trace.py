"""Trace an item's forward pass: attention from the answer position, and every block's output."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from torch import Tensor

from eyechart.attention.settings import AttentionSettings
from eyechart.core.errors import UserError
from eyechart.inference.chosen_items import Item
from eyechart.models.attention_weights import collect_attention
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.hooks import pass_mode, read_outputs
from eyechart.models.unembedding import answering_blocks
from eyechart.models.usable import usable

Ids = list[int]


@dataclass(frozen=True)
class Trace:
    """The attention, block outputs and log-probabilities of one forward pass."""

    image: np.ndarray  # bool, shape (t,); true at the prompt's image tokens
    # by address, float32, shape (heads, t); attention from the answer position; blocks that return
    # none are absent
    weights: dict[str, Tensor]
    # by address, shape (s, d); each block's output; the last row is the answer position
    hidden: dict[str, Tensor]
    # float32, shape (vocabulary,); the model's own log-probabilities at the answer position
    own: Tensor
    # token id of each choice, or None if the next token does not distinguish them
    words: Ids | None


class Tracer:
    """A model that runs on one item at a time, with the prompts of the behavior stage."""

    def __init__(self, adapter: LanguageAdapter, settings: AttentionSettings) -> None:
        self.adapter, self.style = adapter, settings.style()
        addresses = adapter.addresses()
        self.component, names = answering_blocks(list(addresses))
        self.blocks = {address: addresses[address] for address in names}

    def trace(self, item: Item, images: Sequence[Image.Image], weights: bool = True) -> Trace:
        """Run one item's prompt, followed by the common prefix of its choices.

        Raise an UnusableError if the model's own code rejects the images or the prompt.
        """
        adapter = self.adapter
        (variant,) = self.style.variants(item)
        with usable(f"item {item['item_id']!r}", adapter.spec.checkpoint):
            prepared = [adapter.prepare_image(image) for image in images]
            row = adapter.row(adapter.as_text(variant.prompt), prepared)
        begun, words = deciding([adapter.answer_ids(row, text) for text in variant.scored])
        hidden: dict[str, Tensor] = {}
        paths = {path: address for address, path in self.blocks.items()}

        def see(path: str, output: Tensor) -> None:
            hidden[paths[path]] = output.reshape(-1, output.shape[-1])

        with pass_mode():
            encoded = [adapter.encode_images([image])[0] for image in prepared]
            read = row if self.component == "decoder" else replace(row, ids=[*row.ids, *begun])
            mask = adapter.tokens([read], encoded).image[0].cpu().numpy()
            collecting = (
                collect_attention(adapter.model, self.blocks, len(mask))
                if weights
                else nullcontext()
            )
            reading = read_outputs(adapter.model, paths, see, stop=False)
            with collecting as found, reading:
                scores = adapter.logits([row], encoded, [begun])[0][-1]
        own = scores.float().log_softmax(dim=-1).cpu()
        return Trace(mask, found or {}, hidden, own, words)

    def token_boxes(self, images: Sequence[Image.Image]) -> list[np.ndarray]:
        """Return the boxes of each image's tokens in the language model, float32 (t, 7) each."""
        return [self.adapter.token_boxes(image.size, "lm", len(images)) for image in images]


def deciding(choices: Sequence[Ids]) -> tuple[Ids, Ids | None]:
    """Return the common prefix of all choices, and each choice's next token.

    >>> deciding([[5, 6, 7], [5, 8, 7]])
    ([5], [6, 8])
    >>> deciding([[5, 6], [5, 6, 7]])
    ([5, 6], None)

    The tokens are None if they do not identify the choice, because a choice ends after the prefix
    or two choices share the next token.
    """
    shared: Ids = []
    for column in zip(*choices, strict=False):
        if len(set(column)) > 1:
            break
        shared.append(column[0])
    rest = [ids[len(shared) :] for ids in choices]
    words = [ids[0] for ids in rest if ids]
    return shared, words if len(set(words)) == len(choices) else None


def check_places(item: str, image: np.ndarray, places: Sequence[np.ndarray]) -> None:
    """Raise a UserError if the numbers of image tokens and of token boxes differ."""
    known, there = sum(map(len, places)), int(image.sum())
    if known != there:
        raise UserError(
            f"item {item!r}: the prompt has {there} image tokens, but {known} positions are known"
        )
