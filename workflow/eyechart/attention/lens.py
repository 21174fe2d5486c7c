"""Logit lens: apply the final norm and the head to each block's output.

Source: nostalgebraist 2020, "interpreting GPT: the logit lens"; for image tokens, Neo et al. 2024,
"Towards interpreting visual information processing in vision-language models".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eyechart.attention.trace import Trace
from eyechart.core.errors import lacks
from eyechart.models.unembedding import OutputHead

ROOM = 256  # maximum number of tokens with logits in memory
CLOSE = 1e-4  # tolerance of log-probabilities in float32
LOOSE = 0.1  # tolerance in half precision


@dataclass(frozen=True)
class LensPredictions:
    """The logit lens of l blocks at the answer position."""

    # float64, shape (l, c); log-probability of the token that distinguishes each choice from the
    # others
    log_probability: np.ndarray
    rank: np.ndarray  # int64, shape (l, c); rank of that token in the vocabulary, from 1
    top: list[int]  # the most likely token

    def predicted(self) -> list[int]:
        """Return the most likely choice at each block."""
        return [int(n) for n in self.log_probability.argmax(axis=1)]

    def first_layer(self) -> int:
        """Return the first block from which the final choice stays the most likely."""
        chosen = self.predicted()
        others = [n for n, choice in enumerate(chosen) if choice != chosen[-1]]
        return others[-1] + 1 if others else 0


@dataclass(frozen=True)
class TokenPredictions:
    """The logit lens of l blocks at t image tokens."""

    # float64, shape (l, t, c); log-probabilities of the choices' tokens
    log_probability: np.ndarray
    top: np.ndarray  # int64, shape (l, t, k); the most likely tokens
    top_log_probability: np.ndarray  # float32, of the same shape


def fault(head: OutputHead, trace: Trace) -> str:
    """Return why a head does not reproduce the model's own scores, or '' if it does."""
    last = trace.hidden[list(head.blocks)[-1]][-1:]
    with torch.inference_mode():
        try:
            found = head.log_probabilities(last)[0]
        except (RuntimeError, TypeError, AttributeError) as error:
            if lacks(error):
                raise
            why = " ".join(str(error).split())[:120]
            return f"the last norm and head cannot be applied to the last block ({why})"
    if found.shape != trace.own.shape:
        return f"the head returns {len(found)} scores, expected {len(trace.own)}"
    off = float(torch.abs(found.cpu() - trace.own).max())
    most = CLOSE if last.dtype == torch.float32 else LOOSE
    if off <= most:
        return ""
    return (
        f"the last norm and head, applied to the last block, do not reproduce the model's own "
        f"log-probabilities (off by {off:.2g}, expected at most {most:g})"
    )


def at_answer(head: OutputHead, trace: Trace) -> LensPredictions:
    """Return the logit lens at the answer position; requires ``trace.words``."""
    words = torch.tensor(trace.words)
    rows = []
    with torch.inference_mode():
        for address in head.blocks:
            rows.append(head.log_probabilities(trace.hidden[address][-1:]).cpu())
    every = torch.cat(rows)  # (l, vocabulary)
    own = every[:, words]
    rank = torch.stack([(every > column[:, None]).sum(dim=1) + 1 for column in own.T], dim=1)
    return LensPredictions(own.double().numpy(), rank.numpy(), every.argmax(dim=1).tolist())


def at_tokens(head: OutputHead, trace: Trace, words: Sequence[int], top: int) -> TokenPredictions:
    """Return the logit lens at the image tokens."""
    image = torch.from_numpy(trace.image)
    chosen, tops, tops_at = [], [], []
    with torch.inference_mode():
        for address in head.blocks:
            hidden = trace.hidden[address]
            for part in hidden[image.to(hidden.device)].split(ROOM):
                found = head.log_probabilities(part)  # (tokens, vocabulary)
                best = found.topk(top, dim=1)
                chosen.append(found[:, list(words)].double().cpu())
                tops.append(best.indices.cpu())
                tops_at.append(best.values.cpu())
    return TokenPredictions(
        *(_by_block(parts, len(head.blocks)) for parts in (chosen, tops, tops_at))
    )


def _by_block(parts: Sequence[Tensor], blocks: int) -> np.ndarray:
    joined = torch.cat(list(parts))
    return joined.reshape(blocks, -1, joined.shape[-1]).numpy()
