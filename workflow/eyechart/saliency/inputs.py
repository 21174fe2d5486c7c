"""Compare image tokens with text tokens, and describe the connector's matrices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eyechart.core.address import CONNECTOR
from eyechart.core.errors import UserError
from eyechart.core.randomness import generator
from eyechart.models.families.language import LanguageAdapter
from eyechart.saliency.states import ConnectorStates, states_at
from eyechart.saliency.subjects import PromptBatch
from eyechart.tables.saliency import NEAREST, NORM, RANK, SINGULAR

Row = dict[str, Any]


def token_rows(batch: PromptBatch, seed: int) -> Iterator[Row]:
    """Yield each item's mean norms of image and text tokens, and its image tokens' nearest words.

    The control for an image token's cosine with the nearest word of the vocabulary is a random
    direction's cosine. Raise a UserError if no token represents the image.
    """
    states = states_at(batch, CONNECTOR)
    if not isinstance(states, ConnectorStates):
        raise UserError(
            "no token of the prompt represents the image, so there is none to compare with text"
        )
    embed = batch.adapter.model.get_input_embeddings()
    tokens = batch.adapter.tokens(batch.rows, states.encoded)
    words = torch.nn.functional.normalize(embed.weight.detach().float(), dim=1)
    for n, (index, one) in enumerate(zip(states.index, batch.questions, strict=True)):
        image = states.x[index].float()
        text = embed(tokens.ids[n][tokens.valid[n] & ~tokens.image[n]]).detach().float()
        dice = generator("random directions", seed, one.item["item_id"])
        anywhere = torch.from_numpy(dice.normal(size=image.shape)).to(image)
        named = {name: one.item[name] for name in ("item_id", "group")}
        pairs = {
            NORM: (image.norm(dim=1).mean(), text.norm(dim=1).mean()),
            NEAREST: (_nearest(image, words), _nearest(anywhere, words)),
        }
        for metric, (value, control) in pairs.items():
            yield {**named, "metric": metric, "value": float(value), "control": float(control)}


def weight_rows(adapter: LanguageAdapter) -> Iterator[Row]:
    """Yield the largest singular value and the effective rank of every connector matrix.

    The effective rank is the exponential of the entropy of the singular values' shares. Source: Roy
    & Vetterli 2007. Its control is the number of singular values. Raise a UserError if there is no
    matrix to decompose.
    """
    root = adapter.ROOTS.get(CONNECTOR) or adapter.CONNECTOR or ""
    module = adapter.model.get_submodule(root)
    found = {n: w for n, w in module.named_parameters() if w.ndim == 2 and w.is_floating_point()}
    if not root or not found:
        raise UserError(f"family {adapter.spec.family}: its connector has no matrix to decompose")
    for name, weight in found.items():
        values = torch.linalg.svdvals(weight.detach().float()).double().cpu().numpy()
        shares = values[values > 0] / max(values.sum(), 1e-30)
        rank = float(np.exp(-(shares * np.log(shares)).sum()))
        named = {"address": f"{root}.{name}"}
        yield {**named, "metric": SINGULAR, "value": float(values.max()), "control": None}
        yield {**named, "metric": RANK, "value": rank, "control": float(len(values))}


def _nearest(tokens: Tensor, words: Tensor) -> Tensor:
    """Return the mean cosine of tokens (t, d) with their nearest unit vectors of words (v, d)."""
    unit = torch.nn.functional.normalize(tokens, dim=1)
    return (unit @ words.T).amax(dim=1).mean()
