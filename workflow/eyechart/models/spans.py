"""Token masks of spans, and the means over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tokens:
    """A batch of prompts as token ids, padded on the right so that positions count from 0.

    Attributes
    ----------
    ids : int64, shape (b, t)
    valid : bool, shape (b, t)
        False at pads.
    image : bool, shape (b, t)
        True at image tokens.
    """

    ids: Tensor
    valid: Tensor
    image: Tensor


def pad(rows: Sequence[Sequence[int]], image_id: int, pad_id: int, device: torch.device) -> Tokens:
    """Pad lists of token ids to one batch."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    valid = torch.arange(longest) < lengths[:, None]
    image = (ids == image_id) & valid
    return Tokens(ids.to(device), valid.to(device), image.to(device))


def vision_masks(b: int, t: int, has_cls: bool, device: torch.device) -> dict[str, Tensor]:
    """Give the masks (b, t) of an encoder's output, whose class token, if any, stands first."""
    first = torch.zeros(b, t, dtype=torch.bool, device=device)
    first[:, :1] = has_cls
    return {"cls": first, "image_mean": ~first, "image_tokens": ~first}


def text_masks(tokens: Tokens, image_first: bool) -> dict[str, Tensor]:
    """Give the masks (b, t) of the spans in a language model."""
    place = torch.arange(tokens.ids.shape[1], device=tokens.ids.device)
    text = tokens.valid & ~tokens.image
    if image_first:
        last_image = torch.where(tokens.image, place, -1).amax(dim=1, keepdim=True)
        text = text & (place > last_image)
    return {
        "image_mean": tokens.image,
        "text_mean": text,
        "last": place == tokens.valid.sum(dim=1, keepdim=True) - 1,
        "all_mean": tokens.valid,
        "image_tokens": tokens.image,
    }


def pool(hidden: Tensor, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the mean over each mask, in float32, from one reading of the hidden states.

    Parameters
    ----------
    hidden : shape (b, t, d)
    masks : by span, bool, shape (b, t), or (b, q, t) for q means of each row
        The mean over an empty mask is NaN.

    Returns
    -------
    dict of Tensor, float32, shape (b, d), or (b, q, d)
    """
    b, t, d = hidden.shape
    stacked = torch.cat([mask.reshape(b, -1, t) for mask in masks.values()], dim=1).float()
    weights = stacked / stacked.sum(dim=2, keepdim=True)  # (b, all masks, t)
    means = torch.bmm(weights, hidden.float())  # (b, all masks, d)
    parts = means.split([mask.numel() // (b * t) for mask in masks.values()], dim=1)
    shapes = [(*mask.shape[:-1], d) for mask in masks.values()]
    return {span: m.reshape(s) for span, m, s in zip(masks, parts, shapes, strict=True)}


def keep(hidden: Tensor, mask: Tensor) -> list[Tensor]:
    """Give each row's tokens under a mask: a float32 tensor (its tokens, d) per row."""
    return list(hidden[mask].float().split(mask.sum(dim=1).tolist()))
