"""Map any block's output to the vocabulary, through the last norm and the head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from eyechart.core.address import DECODER, LANGUAGE, LM, component, parse
from eyechart.models.families.language import LanguageAdapter


@dataclass(frozen=True)
class OutputHead:
    """The last norm and the head of a language model."""

    adapter: LanguageAdapter
    # module paths of the blocks that generate the answer, by address, in order
    blocks: dict[str, str]
    norm: nn.Module  # the norm after the last of them

    def log_probabilities(self, hidden: Tensor) -> Tensor:
        """Return log-probabilities, float32 (n, vocabulary), for hidden states (n, d)."""
        weight = next(self.norm.parameters(), None)
        normed = self.norm(hidden if weight is None else hidden.to(weight.device))
        scores = self.adapter.score(normed * self._scale())
        return scores.float().log_softmax(dim=-1)

    def _scale(self) -> float:
        # T5: a decoder whose head shares the embedding weights expects scaled-down inputs
        reader = getattr(self.adapter.model, "language_model", None)
        config: Any = getattr(reader, "config", None)
        if getattr(config, "scale_decoder_outputs", False):
            return float(config.d_model) ** -0.5
        return 1.0


def answering_blocks(addresses: Sequence[str]) -> tuple[str, list[str]]:
    """Return the component that generates the answer (the decoder, if there is one) and its blocks.

    >>> answering_blocks(["vision.0", "lm.0", "lm.1", "lm.norm"])
    ('lm', ['lm.0', 'lm.1'])
    """
    blocks = {
        name: [a for a in addresses if component(a) == name and parse(a).block is not None]
        for name in LANGUAGE
    }
    answering = DECODER if blocks[DECODER] else LM
    return answering, blocks[answering]


def head_of(adapter: LanguageAdapter) -> OutputHead:
    """Return a model's output head; raise a LookupError with one sentence if it has none."""
    paths = adapter.addresses()
    answering, blocks = answering_blocks(list(paths))
    path = paths.get(f"{answering}.norm")
    if path is None:
        raise LookupError(f"family {adapter.spec.family} names no last norm")
    try:
        norm = adapter.model.get_submodule(path)
    except AttributeError:
        raise LookupError(f"there is no module {path!r}, the last norm") from None
    if adapter.model.get_output_embeddings() is None and not hasattr(adapter, "HEAD"):
        raise LookupError(f"family {adapter.spec.family} names no head after its last norm")
    return OutputHead(adapter, {a: paths[a] for a in blocks}, norm)
