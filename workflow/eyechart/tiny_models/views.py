"""Augmented views of training images for self-supervised learning.

Views are cropped, zoomed and dimmed. They are never mirrored or rotated, and hues are kept, because
an encoder becomes invariant to its augmentations.
"""

from typing import Any

import torch

from eyechart.tiny_models.images import MEAN, STD


def draw_views(
    pixels: torch.Tensor, settings: dict[str, Any], generator: torch.Generator
) -> torch.Tensor:
    """Draw one view of each image of a batch independently.

    Result: float32 tensor, shape (b, 3, h, w), normalised.

    Parameters
    ----------
    pixels : uint8 tensor, shape (b, 3, h, w)
    settings : ``crop`` (smallest share of the area that is kept and resized to full size),
        ``brightness``, ``contrast``, ``saturation`` (largest relative changes), ``blur`` (share of
        images to blur), ``noise`` (largest standard deviation, where white is 1)
    """
    b = len(pixels)

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(b, 1, 1, 1, generator=generator)

    view = _crop(pixels.float() / 255, uniform(settings["crop"], 1).sqrt(), generator)
    view = view * uniform(1 - settings["brightness"], 1 + settings["brightness"])
    for name, axes in (("contrast", (1, 2, 3)), ("saturation", (1,))):
        grey = view.mean(axes, keepdim=True)
        view = grey + (view - grey) * uniform(1 - settings[name], 1 + settings[name])
    soft = torch.nn.functional.avg_pool2d(view, 3, stride=1, padding=1, count_include_pad=False)
    view = torch.where(uniform(0, 1) < settings["blur"], soft, view)
    spots = torch.randn(view.shape, generator=generator)
    view = view + uniform(0, settings["noise"]) * spots
    return (view.clamp(0, 1) - MEAN) / STD


def draw_mask(
    b: int, patches: int, settings: dict[str, Any], generator: torch.Generator
) -> torch.Tensor:
    """Draw which patches of each view are hidden; bool, shape (b, p).

    At least one patch of each view is hidden; on average, a share ``masked`` of all patches.
    """
    share = 2 * settings["masked"] * torch.rand(b, 1, generator=generator)
    rank = torch.rand(b, patches, generator=generator).argsort(1).argsort(1)
    return rank < (share * patches).clamp(min=1)


def _crop(pixels: torch.Tensor, side: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Crop a random window of relative width ``side`` (b, 1, 1, 1) from each image."""
    b = len(pixels)
    side = side.flatten()
    window = torch.zeros(b, 2, 3)
    window[:, 0, 0] = window[:, 1, 1] = side
    slack = (1 - side)[:, None]  # the window's centre moves at most this far
    window[:, :, 2] = slack * (2 * torch.rand(b, 2, generator=generator) - 1)
    grid = torch.nn.functional.affine_grid(window, list(pixels.shape), align_corners=False)
    return torch.nn.functional.grid_sample(pixels, grid, align_corners=False, padding_mode="border")
