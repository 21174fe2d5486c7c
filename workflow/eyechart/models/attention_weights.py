"""Collect the attention weights of a language model's blocks from its attention modules.

Eager attention returns its weights with its output; other implementations never compute them in
full. Only one token's row is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eyechart.core.errors import UserError
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.hooks import attached
from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import Spec

SUM = 0.05  # tolerance for the sum over all keys in half precision


@contextmanager
def collect_attention(
    model: nn.Module, blocks: Mapping[str, str], keys: int
) -> Iterator[dict[str, Tensor]]:
    """Collect the attention of the last token to ``keys`` keys in each block, within the context.

    Yields a dict from address to Tensor, float32, shape (heads, keys). The forward pass of one
    prompt fills it. Blocks that return no weights are absent.

    Parameters
    ----------
    blocks : module path of each block, by address
    keys : number of tokens of the prompt; attention to anything else (a decoder's self-attention,
        cross-attention to other states) is not collected
    """
    found: dict[str, Tensor] = {}

    def hook(address: str) -> Any:
        def fired(module: nn.Module, inputs: Any, output: Any) -> None:
            row = None if address in found else last_row(output, keys)
            if row is not None:
                found[address] = row

        return fired

    inside = {
        f"{path}.{name}": hook(address)
        for address, path in blocks.items()
        for name, _ in model.get_submodule(path).named_modules()
        if name  # the block itself may return the weights of its modules
    }
    with attached(model, inside):
        yield found


def last_row(output: Any, keys: int) -> Tensor | None:
    """Return the attention weights of the last token of one prompt, (heads, keys), if any."""
    found = weights_in(output, keys)
    return found[0, :, -1].float().cpu() if found is not None and len(found) == 1 else None


def weights_in(output: Any, keys: int) -> Tensor | None:
    """Return the attention weights in a module's output, or None.

    The weights are a tensor (b, heads, queries, keys) whose last rows sum to 1, unlike an attention
    bias of the same shape.
    """
    for part in output if isinstance(output, tuple) else ():
        if not isinstance(part, torch.Tensor) or part.ndim != 4:
            continue
        if part.shape[-1] != keys or not part.is_floating_point():
            continue
        row = part[:, :, -1].detach().float()  # (b, heads, keys)
        sums = row.sum(dim=-1)
        if bool((row >= 0).all()) and bool((torch.abs(sums - 1) < SUM).all()):
            return part
    return None


def ask_for_weights(adapter: LanguageAdapter) -> None:
    """Configure code that comes with a checkpoint to return attention weights."""
    for module in adapter.model.modules():
        config = getattr(module, "config", None)
        if config is not None and hasattr(config, "output_attentions"):
            try:
                config.output_attentions = True
            except ValueError:  # this implementation never computes weights
                continue


def load_eager(spec: Spec, checkpoint: Path, loading: LoadOptions) -> tuple[LanguageAdapter, str]:
    """Load a model with eager attention or, if it refuses, without; return it and the reason.

    The reason is empty if it did not refuse. Raise a UserError if the model cannot be loaded either
    way, or has no language model.
    """
    refused = ""
    try:
        adapter = load(spec, checkpoint, replace(loading, attention="eager"))
    except (UserError, ValueError, ImportError, TypeError) as error:
        adapter = load(spec, checkpoint, loading)  # an error in both attempts is raised here
        refused = f"family {spec.family} refuses eager attention ({' '.join(str(error).split())})"
    if not isinstance(adapter, LanguageAdapter):
        raise UserError(
            f"{spec.checkpoint}: family {spec.family} has no language model, expected a VLM"
        )
    if spec.trust_remote_code and not refused:
        ask_for_weights(adapter)
    return adapter, refused
