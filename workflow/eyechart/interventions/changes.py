"""The two ways to change a forward pass: write states of tokens, and cut attention between tokens.

A change names tokens by a span of its pass: ``image`` (all from the first image token to the last),
``referent`` and ``other_object`` (image tokens in a region), ``question`` (the text after the image
and before the answer position; all text where it comes first) and ``last`` (the answer position,
and the answer begun there; in a decoder all tokens). It runs wherever the pass has those tokens, so
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

States = Mapping[str, Tensor]  # by whose images they are of: ``own``, ``donor``, ``control``


@dataclass(frozen=True)
class Pass:
    """The tokens of one forward pass.

    Attributes
    ----------
    part : ``features`` (what the language model takes), ``prefix`` (up to the last image token),
        ``rest`` (what follows a cached prefix) or ``whole``
    whose : whose images are shown
    rows : the number of each row's item
    spans : by span, bool (b, k); the k positions are those cached and then the t of the pass
    image : bool (b, k); image tokens alone
    t : the number of tokens that run
    decoded : the number of tokens of the decoder, if the model has one
    """

    part: str
    whose: str
    rows: Sequence[int]
    spans: dict[str, Tensor]
    image: Tensor
    t: int
    decoded: int = 0

    def has(self, span: str, address: str) -> bool:
        """Return whether any token has a span, at an address or among those cached before."""
        return bool(self.spans[span].any() or self.here(span, address).any())

    def here(self, span: str, address: str) -> Tensor:
        """Return which tokens that run at an address a span has, bool (b, t)."""
        if component(address) == DECODER:
            shape = len(self.rows), self.decoded
            return torch.full(shape, span == LAST, device=self.image.device)
        return self.spans[span][:, -self.t :]


@dataclass(frozen=True)
class Write:
    """New states of a span's tokens behind an address.

    Attributes
    ----------
    new : from the states (b, t, d) at the address, and those of the same tokens on the images of
        ``sources``, to new states (b, t, d)
    """

    address: str
    span: str
    new: Callable[[Tensor, States], Tensor]
    sources: Sequence[str] = ()

    @property
    def tokens(self) -> tuple[str, str]:
        """The address and the span of the tokens that it needs."""
        return self.address, self.span

    @property
    def shared(self) -> bool:
        """Whether new states depend on the images alone, not on the item."""
        return self.span == IMAGE and not self.sources

    @property
    def unchanged(self) -> int:
        """The number of the language model's first blocks whose output it does not change."""
        block = parse(self.address).block
        return 0 if block is None else block + 1

    def runs_in(self, part: str) -> bool:
        """Return whether it changes a part of a prompt that is read in parts."""
        if self.address == CONNECTOR:
            return part == FEATURES
        return part in (WHOLE, PREFIX if self.span in IN_IMAGE else REST)

    def opens(
        self, adapter: LanguageAdapter, one: Pass, states: States
    ) -> AbstractContextManager[None]:
        """Return the context in which a pass of the language model is changed."""

        def change(hidden: Tensor) -> Tensor:
            return self.new(hidden, states)

        where = one.here(self.span, self.address)
        return edit_outputs(adapter.model, {adapter.module_path(self.address): at(where, change)})


def taken(address: str, span: str, source: str) -> Write:
    """Return the change that takes the states of a span's tokens from other images."""
    return Write(address, span, lambda _, states: states[source], [source])


@dataclass(frozen=True)
class Cut:
    """No attention from the tokens of some spans to those of another, in blocks of these numbers.

    ``last`` attends in the blocks of the decoder, if there is one, all other tokens in ``lm``.
    """

    queries: Sequence[str]
    keys: str
    blocks: Sequence[int]
    shared: bool = False

    @property
    def unchanged(self) -> int:
        """The number of the language model's first blocks whose output it does not change."""
        return self.blocks[0]

    @property
    def tokens(self) -> tuple[str, str]:
        """The first block, and the span of the tokens that cannot be attended to."""
        return f"{LM}.{self.blocks[0]}", self.keys

    def runs_in(self, part: str) -> bool:
        """Return whether it changes a part of a prompt that is read in parts."""
        return part in (REST, WHOLE)

    def opens(
        self, adapter: LanguageAdapter, one: Pass, states: States
    ) -> AbstractContextManager[None]:
        """Return the context in which a pass of the language model is changed."""
        cuts: dict[str, Tensor] = {}
        for span in self.queries:
            stem = DECODER if span == LAST and one.decoded else LM
            for number in self.blocks:
                address = f"{stem}.{number}"
                cut = pairs(one.here(span, address), one.spans[self.keys])
                cuts[address] = cuts[address] | cut if address in cuts else cut
        return cut_attention(adapter, cuts)


Change = Write | Cut
