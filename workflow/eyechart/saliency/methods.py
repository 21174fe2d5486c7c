"""Methods of attribution, which map the states at an address to one value per image token.

All are computed on a batch of items, whose scores do not depend on one another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eyechart.core.errors import UserError
from eyechart.models.attention_weights import weights_in
from eyechart.models.hooks import attached, pass_mode
from eyechart.models.unembedding import answering_blocks
from eyechart.saliency.states import ConnectorStates, States
from eyechart.saliency.subjects import PromptBatch

COMPLETE = 0.01  # largest relative error of the sum of integrated gradients
TINY = 0.1  # nats; smaller differences of scores count as this one

Maps = list[Tensor]  # by item, a value per image token, float64 (t,)


def gradient(states: States) -> Maps:
    """Return the gradient of the score times the states, summed over the width."""
    return _of_tokens(states, states.gradient(states.x) * states.x)


def integrated(states: States, baseline: States, steps: int) -> Maps:
    """Return integrated gradients along the straight path from the states of a baseline image.

    The attributions sum to the score minus the baseline's score. Source: Sundararajan et al. 2017;
    the path integral uses Gauss-Legendre quadrature. Rows that are not image tokens do not change.
    """
    tokens = torch.cat(states.index)
    apart = torch.zeros_like(states.x)
    apart[tokens] = states.x[tokens] - baseline.x[torch.cat(baseline.index)]
    total = torch.zeros_like(states.x, dtype=torch.float64)
    points, weights = np.polynomial.legendre.leggauss(steps)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        total += float(weight) * states.gradient(states.x - (1 - float(point)) * apart).double()
    return _of_tokens(states, total * apart)


def complete(states: States, baseline: States, maps: Sequence[Tensor]) -> list[bool]:
    """Return, per item, whether its attributions sum to the score difference within 1%."""
    x = states.x.clone()
    x[torch.cat(states.index)] = baseline.x[torch.cat(baseline.index)]
    with torch.no_grad():
        apart = (states.run(states.x) - states.run(x)).double().cpu()
    off = (torch.stack([own.sum() for own in maps]).cpu() - apart).abs()
    found: list[bool] = (off <= COMPLETE * apart.abs().clamp(min=TINY)).tolist()
    return found


def grad_cam(states: States) -> Maps:
    """Return each token's sum of channels weighted by their mean gradients, clipped at 0.

    Source: Selvaraju et al. 2017, applied to a vision transformer's tokens.
    """
    slope = states.gradient(states.x)
    found = [(states.x[i] * slope[i].mean(dim=0)).sum(dim=1) for i in states.index]
    return [own.clamp(min=0).double() for own in found]


def relevancy(states: States) -> Maps:
    """Return the relevance of image tokens to the answer through the language model's attention.

    Source: Chefer et al. 2021, self-attention: from the first block to the last, R grows by A R,
    where A is the mean over heads of the positive part of weights times gradients. Only the rows of
    the answer's positions are computed, from the last block backwards.
    """
    subject = states.subject
    if not isinstance(states, ConnectorStates) or not isinstance(subject, PromptBatch):
        raise UserError("no token of the prompt represents the image, so none can attend to it")
    prompts = [len(one.row.ids) for one in subject.questions if one.row is not None]
    tokens = subject.adapter.tokens(subject.rows, states.encoded)
    with pass_mode(gradients=True):
        score, weights = _with_weights(states, subject)
        slopes = torch.autograd.grad(score.sum(), weights)
    r = torch.zeros(len(prompts), weights[0].shape[-1], device=score.device)  # (b, t)
    for row, (end, one) in enumerate(zip(prompts, subject.questions, strict=True)):
        r[row, end - 1 : end - 1 + len(one.answer)] = 1
    for own, slope in zip(reversed(weights), reversed(slopes), strict=True):
        mixed = (own * slope).clamp(min=0).mean(dim=1).float()  # (b, t, t)
        r = r + torch.einsum("bq,bqk->bk", r, mixed)
    image = torch.nn.functional.pad(tokens.image, (0, r.shape[1] - tokens.image.shape[1]))
    return [own[mask].detach().double() for own, mask in zip(r, image, strict=True)]


def _with_weights(states: ConnectorStates, subject: PromptBatch) -> tuple[Tensor, list[Tensor]]:
    """Return scores and every block's attention weights (b, heads, t, t) in the autograd graph."""
    adapter = subject.adapter
    known = adapter.addresses()
    stem, blocks = answering_blocks(list(known))
    if stem != "lm":
        raise UserError("a decoder answers, but an encoder reads the image tokens")
    t = max(len(o.row.ids) + len(o.answer) - 1 for o in subject.questions if o.row is not None)
    found: dict[str, Tensor] = {}

    def hook(address: str) -> Callable[..., None]:
        def fired(module: nn.Module, inputs: Any, output: Any) -> None:
            own = weights_in(output, t)
            if address not in found and own is not None and own.shape[2] == t:
                found[address] = own

        return fired

    inside = {
        f"{known[block]}.{name}": hook(block)
        for block in blocks
        for name, _ in adapter.model.get_submodule(known[block]).named_modules()
        if name
    }
    with attached(adapter.model, inside):
        score = states.run(states.x.detach().clone().requires_grad_())
    without = [block for block in blocks if block not in found]
    if without or not all(own.requires_grad for own in found.values()):
        raise UserError(f"{(without or blocks)[0]} returns no attention weights")
    return score, [found[block] for block in blocks]


def _of_tokens(states: States, values: Tensor) -> Maps:
    """Return each item's values, one per token, summed over the width."""
    total = values.double().sum(dim=1)
    return [total[index] for index in states.index]


METHODS: dict[str, Callable[[States], Maps]] = {
    "gradient": gradient,
    "grad_cam": grad_cam,
    "relevancy": relevancy,
}
