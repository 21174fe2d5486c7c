"""Locate image tokens in a module's output, and collect the gradients there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from eyechart.models.families.base import Adapter
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.hooks import Change, edit_outputs


def of_images(
    adapter: Adapter, component: str, images: Sequence[PreparedImage], mask: Tensor
) -> Callable[[Tensor], Tensor]:
    """Return a function that locates image tokens in the output of an encoder or connector module.

    Parameters
    ----------
    images : all images in the pass, in order
    mask : bool, shape (b, t); tokens as laid out by ``Adapter.layout``, one row per image
    """

    def where(hidden: Tensor) -> Tensor:
        shape = hidden.shape[:-1]
        number = torch.arange(math.prod(shape), dtype=torch.float64, device=hidden.device)
        laid, _ = adapter.layout(component, number.reshape(*shape, 1), images)
        found = torch.zeros_like(number, dtype=torch.bool)
        found[laid[mask.to(hidden.device)][:, 0].long()] = True
        return found.reshape(shape)

    return where


@contextmanager
def keep_gradients(model: nn.Module, paths: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Collect each module's first output as a tensor whose ``grad`` is filled by a backward pass.

    Gradients stop at the first of these modules, so nothing before it is kept. The pass must keep
    gradients (``pass_mode``). Yields a dict of tensors by module path, in the module's own layout;
    the forward pass fills it.
    """
    found: dict[str, Tensor] = {}

    def edit(path: str) -> Change:
        def kept(hidden: Tensor) -> Tensor:
            if path in found:
                return hidden
            new = hidden if hidden.requires_grad else hidden.detach().clone().requires_grad_()
            new.retain_grad()
            found[path] = new
            return new

        return kept

    with edit_outputs(model, {path: edit(path) for path in paths}):
        yield found
