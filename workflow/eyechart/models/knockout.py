"""Attention knockout: block chosen queries from attending to chosen keys in a language model.

The cut is written into a block's attention mask, so it works for every implementation that takes a
mask over queries and keys: ``eager`` and ``sdpa``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from eyechart.core.errors import UserError
from eyechart.models.families.language import MASKED, LanguageAdapter
from eyechart.models.hooks import check_ran, module_at


@contextmanager
def cut_attention(adapter: LanguageAdapter, cuts: Mapping[str, Tensor]) -> Iterator[None]:
    """Block queries from attending to keys in blocks of the language model, within the context.

    Raise a UserError if attention cannot be cut at an address, if a cut leaves a query without any
    key or does not fit the pass, or if a block has not run by the end.

    ``cuts``: by address, bool, shape (b, q, k), or (1, q, k) for the same cut in all rows; true
    where query i of the pass must not attend to key j. The k keys are the positions of the cache
    and the pass, or in a decoder's block all positions of the encoder.
    """
    paths = {address: adapter.module_path(address) for address in cuts}
    waiting = dict.fromkeys(paths.values())
    with ExitStack() as stack:
        for address, cut in cuts.items():
            name, causal = adapter.mask_argument(address)
            module = module_at(adapter.model, paths[address])
            hook = _cutting(adapter, address, name, causal, cut, waiting)
            stack.callback(module.register_forward_pre_hook(hook, with_kwargs=True).remove)
        yield
    check_ran(waiting)


def pairs(queries: Tensor, keys: Tensor) -> Tensor:
    """Return the cut (b, q, k) of all marked keys (b, k) from all marked queries (b, q), bool."""
    return queries[:, :, None] & keys[:, None, :]


def _cutting(
    adapter: LanguageAdapter,
    address: str,
    name: str,
    causal: bool,
    cut: Tensor,
    waiting: dict[str, None],
) -> Callable[..., Any]:
    """Return the hook that adds a cut to the argument ``name`` of a block."""
    path = adapter.module_path(address)
    block = type(module_at(adapter.model, path))
    arguments = list(signature(block.forward).parameters)[1:]  # without self
    how = str(getattr(adapter.text_config, "_attn_implementation", "eager"))
    if name not in arguments or how not in MASKED:
        raise UserError(
            f"{address}: attention can only be cut in blocks that take a mask of queries and "
            f"keys, but {block.__name__} of family {adapter.spec.family} with attention {how!r} "
            f"takes none; load it with {' or '.join(MASKED)}"
        )
    place = arguments.index(name)

    def fired(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> Any:
        waiting.pop(path, None)
        given = len(inputs) > place
        mask = inputs[place] if given else named.get(name)
        hidden = inputs[0] if inputs else named["hidden_states"]
        if cut.shape[-2] != hidden.shape[1]:
            raise UserError(
                f"{address}: the cut has {cut.shape[-2]} queries, but the pass has "
                f"{hidden.shape[1]}"
            )
        if mask is None:  # attention without a mask
            mask = _sees_all(cut, causal, hidden)
        mask = _with_cut(address, mask, cut.to(hidden.device))
        if given:
            return (*inputs[:place], mask, *inputs[place + 1 :]), named
        return inputs, {**named, name: mask}

    return fired


def _sees_all(cut: Tensor, causal: bool, hidden: Tensor) -> Tensor:
    """Return the additive mask (1, 1, q, k) of queries that attend to all (earlier) keys."""
    queries, keys = cut.shape[-2:]
    sees = torch.ones(queries, keys, dtype=torch.bool, device=hidden.device)
    sees = sees.tril(keys - queries) if causal else sees
    nothing = torch.zeros(queries, keys, dtype=hidden.dtype, device=hidden.device)
    return nothing.masked_fill(~sees, torch.finfo(hidden.dtype).min)[None, None]


def _with_cut(address: str, mask: Tensor, cut: Tensor) -> Tensor:
    """Return an attention mask (b, 1, q, k) with a cut added, in the mask's own format."""
    queries, keys = cut.shape[-2:]
    if mask.ndim != 4 or mask.shape[-1] != keys or mask.shape[-2] not in (1, queries):
        raise UserError(
            f"{address}: its attention mask has shape {tuple(mask.shape)}, but the cut has "
            f"{queries} queries and {keys} keys; cuts need attention 'eager' or 'sdpa'"
        )
    hidden = cut[:, None]
    if mask.dtype == torch.bool:
        left = mask & ~hidden
        new = left
    else:
        lowest = torch.finfo(mask.dtype).min
        left = (mask > lowest) & ~hidden
        new = mask.masked_fill(hidden, lowest)
    if bool((hidden.any(dim=-1) & ~left.any(dim=-1)).any()):
        raise UserError(f"{address}: the cut leaves a query without any key to attend to")
    return new
