"""Derive a model with worse eyes: its patch embedding sees every image in grey or blurred.

**Loses colour** (``loses: color``, the default). Grey is the mean of a pixel's three channels,
before the processor subtracts each channel's mean and divides by its standard deviation. With the
embedding's kernels W_c and the processor's output for channel c, z_c = (x_c - m_c) / s_c, the grey
image's embedding is

    sum_j z_j s_j/3 sum_c W_c/s_c  +  sum_c W_c/s_c (mean(m) - m_c)  +  bias

so the new kernels are s_j/3 sum_c W_c/s_c, and the middle term is added to the bias, or to the
position embeddings if there is no bias. This is exact at every pixel, padding included.

**Loses detail** (``loses: detail``). Each patch becomes a mosaic of ``cells`` x ``cells`` means,
one by default: a low-pass filter on the grid of patches. The filter is linear and keeps means, so
averaging the kernels over each cell is exact for any normalisation of the processor.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from eyechart.core.errors import UserError, nearest
from eyechart.models.derivations.settings import chosen
from eyechart.models.families.base import Adapter

COLOURS = 3
LOSSES = ("color", "detail")


def derive(adapter: Adapter, settings: dict[str, Any], seed: int) -> None:
    """Average the colour channels in the patch embedding, or the pixels of each cell."""
    how = chosen("eyes", settings, loses="color", cells=1)
    path, embedding = patch_embedding(adapter)
    if how["loses"] not in LOSSES:
        loses = how["loses"]
        raise UserError(f"derived.settings.loses: {loses!r}; {nearest(loses, LOSSES)}")
    if how["loses"] == "detail":
        embedding.weight.data.copy_(mosaic(adapter, embedding, how["cells"]))
    else:
        see_grey(adapter, path, embedding)


def mosaic(adapter: Adapter, embedding: nn.Conv2d | nn.Conv3d, cells: Any) -> Tensor:
    """Return the kernels with each of ``cells`` x ``cells`` parts replaced by its mean."""
    weight = embedding.weight.detach().double()
    *_, high, wide = weight.shape
    if tuple(embedding.stride[-2:]) != (high, wide):
        raise UserError(
            f"derived.by: eyes loses detail only if patches do not overlap, but those of family "
            f"{adapter.spec.family} do"
        )
    if not isinstance(cells, int) or cells < 1 or high % cells or wide % cells:
        raise UserError(
            f"derived.settings.cells is {cells!r}, expected a divisor of a patch's {wide} pixels"
        )
    parts = weight.unflatten(-1, (cells, -1)).unflatten(-3, (cells, -1))  # (…, cells, h, cells, w)
    return parts.mean(dim=(-3, -1), keepdim=True).expand_as(parts).reshape(weight.shape)


def see_grey(adapter: Adapter, path: str, embedding: nn.Conv2d | nn.Conv3d) -> None:
    """Average the kernels over the channels, and correct for the channels' different means."""
    mean, std = normalisation(adapter)
    weight = embedding.weight.detach().double()  # (d, colours, …)
    shape = (1, COLOURS, *[1] * (weight.ndim - 2))
    scaled = weight / std.view(shape)
    grey = scaled.sum(dim=1, keepdim=True) * std.view(shape) / COLOURS
    embedding.weight.data.copy_(grey)
    rest = (scaled * (mean.mean() - mean).view(shape)).flatten(1).sum(dim=1)  # (d,)
    if bool(rest.abs().max() > 0):
        add_to_patches(adapter, path, embedding, rest)


def patch_embedding(adapter: Adapter) -> tuple[str, nn.Conv2d | nn.Conv3d]:
    """Return the path and module of the vision encoder's first convolution over colours."""
    found = [
        (path, module)
        for path, module in adapter.model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Conv3d) and module.in_channels == COLOURS
    ]
    if not found:
        raise UserError(
            f"derived.by: eyes needs a convolution over three colours, but a model of family "
            f"{adapter.spec.family} has none"
        )
    if sum(adapter.component_of(path) == "vision" for path, _ in found) > 1:
        raise UserError(
            f"derived.by: eyes needs one vision encoder, but a model of family "
            f"{adapter.spec.family} has several"
        )
    return found[0]


def normalisation(adapter: Adapter) -> tuple[Tensor, Tensor]:
    """Return the processor's mean and standard deviation of each channel, float64 (3,) each."""
    processor = getattr(adapter.processor, "image_processor", adapter.processor)
    if not getattr(processor, "do_normalize", True):
        return torch.zeros(COLOURS, dtype=torch.float64), torch.ones(COLOURS, dtype=torch.float64)
    given = [getattr(processor, name, None) for name in ("image_mean", "image_std")]
    if any(values is None or len(values) != COLOURS for values in given):
        raise UserError(
            f"derived.by: eyes needs the processor's mean and standard deviation of three colours, "
            f"and the processor of family {adapter.spec.family} has none"
        )
    mean, std = (torch.tensor(values, dtype=torch.float64) for values in given)
    return mean, std


def add_to_patches(
    adapter: Adapter, path: str, embedding: nn.Conv2d | nn.Conv3d, rest: Tensor
) -> None:
    """Add a vector (d,) to every patch: to the bias, or to the learned position embeddings."""
    if embedding.bias is not None:
        embedding.bias.data += rest.to(embedding.bias)
        return
    owner = adapter.model.get_submodule(path.rpartition(".")[0])
    positions = getattr(owner, "position_embedding", None)
    if not isinstance(positions, nn.Embedding):
        raise UserError(
            f"derived.by: eyes cannot be folded into a model of family {adapter.spec.family}: its "
            "patch embedding has no bias and its patches have no learned positions, unlike "
            "those of llava"
        )
    first = int(hasattr(owner, "class_embedding"))
    positions.weight.data[first:] += rest.to(positions.weight)
