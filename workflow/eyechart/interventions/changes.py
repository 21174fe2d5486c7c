"""The two ways to change a forward pass: write tokens' states, and cut attention between tokens.

A change names tokens by a span: ``image`` (all from the first image token to the last),
``referent`` and ``other_object`` (image tokens in a region), ``question`` (the text between the
image and the answer position, or all text if it comes first) and ``last`` (the answer position and
the answer tokens so far; in a decoder, all tokens). It applies to every pass with those tokens, so
it does not depend on how prompts are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from eyechart.core.address import CONNECTOR, DECODER, LM, component, parse
from eyechart.interventions.asked import REGIONS
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.hooks import at, edit_outputs
from eyechart.models.knockout import cut_attention, pairs

IMAGE, QUESTION, LAST = "image", "question", "last"
IN_IMAGE = (IMAGE, *REGIONS)
FEATURES, PREFIX, REST, WHOLE = ("features", "prefix", "rest", "whole")

States = Mapping[str, Tensor]  # by owner of the images: ``own``, ``donor``, ``control``


@dataclass(frozen=True)
class Pass:
    """The tokens of one forward pass.

    Attributes
    ----------
    part : ``features`` (the language model's inputs), ``prefix`` (up to the last image token),
        ``rest`` (after a cached prefix) or ``whole``
    whose : whose images are shown
    rows : the index of each row's item
    spans : by span, bool (b, k); the k positions are the cached ones, then the t of the pass
    image : bool (b, k); only image tokens
    t : the number of tokens in the pass
    decoded : the number of decoder tokens, if the model has a decoder
    """

    part: str
    whose: str
    rows: Sequence[int]
    spans: dict[str, Tensor]
    image: Tensor
    t: int
    decoded: int = 0

    def has(self, span: str, address: str) -> bool:
        """Return whether a span has any tokens at an address, cached ones included."""
        return bool(self.spans[span].any() or self.here(span, address).any())

    def here(self, span: str, address: str) -> Tensor:
        """Return which of the tokens that run at an address are in a span, bool (b, t)."""
        if component(address) == DECODER:
            shape = len(self.rows), self.decoded
            return torch.full(shape, span == LAST, device=self.image.device)
        return self.spans[span][:, -self.t :]


@dataclass(frozen=True)
class Write:
    """New states of a span's tokens at an address.

    Attributes
    ----------
    new : function from the states (b, t, d) at the address, and those of the same tokens on the
        images of ``sources``, to new states (b, t, d)
    """

    address: str
    span: str
    new: Callable[[Tensor, States], Tensor]
    sources: Sequence[str] = ()

    @property
    def tokens(self) -> tuple[str, str]:
        """The address and the span of the tokens needed."""
        return self.address, self.span

    @property
    def shared(self) -> bool:
        """Whether new states depend only on the images, not on the item."""
        return self.span == IMAGE and not self.sources

    @property
    def unchanged(self) -> int:
        """The number of leading language-model blocks whose output does not change."""
        block = parse(self.address).block
        return 0 if block is None else block + 1

    def runs_in(self, part: str) -> bool:
        """Return whether the change affects this part of a prompt."""
        if self.address == CONNECTOR:
            return part == FEATURES
        return part in (WHOLE, PREFIX if self.span in IN_IMAGE else REST)

    def opens(
        self, adapter: LanguageAdapter, one: Pass, states: States
    ) -> AbstractContextManager[None]:
        """Return the context that applies the change to a pass of the language model."""

        def change(hidden: Tensor) -> Tensor:
            return self.new(hidden, states)

        where = one.here(self.span, self.address)
        return edit_outputs(adapter.model, {adapter.module_path(self.address): at(where, change)})


def taken(address: str, span: str, source: str) -> Write:
    """Return the change that takes a span's states from other images."""
    return Write(address, span, lambda _, states: states[source], [source])


@dataclass(frozen=True)
class Cut:
    """No attention from the tokens of some spans to another span's tokens, in the given blocks.

    ``last`` attends in the decoder's blocks, if there is a decoder; all other tokens attend in
    ``lm``.
    """

    queries: Sequence[str]
    keys: str
    blocks: Sequence[int]
    shared: bool = False

    @property
    def unchanged(self) -> int:
        """The number of leading language-model blocks whose output does not change."""
        return self.blocks[0]

    @property
    def tokens(self) -> tuple[str, str]:
        """The first block, and the span of the tokens that are hidden."""
        return f"{LM}.{self.blocks[0]}", self.keys

    def runs_in(self, part: str) -> bool:
        """Return whether the change affects this part of a prompt."""
        return part in (REST, WHOLE)

    def opens(
        self, adapter: LanguageAdapter, one: Pass, states: States
    ) -> AbstractContextManager[None]:
        """Return the context that applies the change to a pass of the language model."""
        cuts: dict[str, Tensor] = {}
        for span in self.queries:
            stem = DECODER if span == LAST and one.decoded else LM
            for number in self.blocks:
                address = f"{stem}.{number}"
                cut = pairs(one.here(span, address), one.spans[self.keys])
                cuts[address] = cuts[address] | cut if address in cuts else cut
        return cut_attention(adapter, cuts)


Change = Write | Cut
