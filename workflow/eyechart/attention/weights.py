"""Attention weights of a language model's blocks, read on their way out of the attention modules.

An attention that is computed step by step (``eager``) gives its weights beside its output; others
never hold them. Nothing is kept but the row of one token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from eyechart.models.families.language import LanguageAdapter
from eyechart.models.hooks import attached

SUM = 0.05  # by which the sum over all keys may differ from 1, in half precision


@contextmanager
def watched(model: nn.Module, blocks: Mapping[str, str], keys: int) -> Iterator[dict[str, Tensor]]:
    """Collect, within the block, how each block's last token attends to so many keys.

    Parameters
    ----------
    model : nn.Module
    blocks : by address, the path of a block
    keys : int
        How many tokens the prompt has: attention to anything else (a decoder's to itself, that to
        another model's states) is not collected.

    Yields
    ------
    dict of Tensor, by address, float32, shape (heads, keys)
        Filled by the forward pass of one prompt; lacks blocks that give no weights.
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
        if name  # the block itself may hand on what is inside it
    }
    with attached(model, inside):
        yield found


def last_row(output: Any, keys: int) -> Tensor | None:
    """Give the attention weights of the last token in a module's output, if there are any.

    They are a tensor (1, heads, queries, keys) of which each row sums to 1: an attention bias of
    the same shape does not.
    """
    for part in output if isinstance(output, tuple) else ():
        if not isinstance(part, torch.Tensor) or part.ndim != 4:
            continue
        if part.shape[0] != 1 or part.shape[-1] != keys or not part.is_floating_point():
            continue
        row = part[0, :, -1].float().cpu()  # (heads, keys)
        sums = row.sum(dim=1)
        if bool((row >= 0).all()) and bool((torch.abs(sums - 1) < SUM).all()):
            return row
    return None


def ask_for_weights(adapter: LanguageAdapter) -> None:
    """Have code that comes with a checkpoint hand its weights on: it drops them unless told to."""
    for module in adapter.model.modules():
        config = getattr(module, "config", None)
        if config is not None and hasattr(config, "output_attentions"):
            try:
                config.output_attentions = True
            except ValueError:  # this attention never holds any
                continue
