"""Token masks of spans, and pooling over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tokens:
    """A batch of prompts as token ids, padded on the right so that positions count from 0.

    Attributes
    ----------
    ids : int64, shape (b, t)
    valid : bool, shape (b, t); false at padding
    image : bool, shape (b, t); true at image tokens
    encoded : encoded images of all prompts, in order
    inputs : further inputs of a family's forward pass
    """

    ids: Tensor
    valid: Tensor
    image: Tensor
    encoded: Sequence[Any] = ()
    inputs: dict[str, Any] = field(default_factory=dict)


def pad(rows: Sequence[Sequence[int]], filler: int) -> tuple[Tensor, Tensor]:
    """Pad lists of token ids on the right; return ids, int64 (b, t), and validity, bool (b, t)."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    return ids, torch.arange(longest) < lengths[:, None]


def by_image(hidden: Tensor, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Split the first axis of (n, d) or (n, t, d) by image, given the number of rows per image.

    The axis may be shorter than the sum of rows by an integer factor, if neighbours were merged.

    Returns
    -------
    hidden : shape (b, most tokens of an image, d)
    valid : bool, of the same b and t
        False at padding.
    """
    if hidden.ndim == 3 and all(row == 1 for row in rows):
        return hidden, torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device)
    counts = [row * len(hidden) // sum(rows) for row in rows]
    parts = [part.reshape(-1, hidden.shape[-1]) for part in hidden.split(counts)]
    padded = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
    lengths = torch.tensor([len(part) for part in parts], device=hidden.device)
    places = torch.arange(padded.shape[1], device=hidden.device)
    return padded, places < lengths[:, None]


def vision_masks(valid: Tensor, leading: int, period: int) -> dict[str, Tensor]:
    """Return the masks (b, t) of an encoder's output.

    Parameters
    ----------
    valid : bool, shape (b, t)
    leading : number of tokens before the patches of each tile; the first is the class token
    period : number of tokens of a tile
    """
    place = torch.arange(valid.shape[1], device=valid.device) % period
    patches = valid & (place >= leading)
    first = valid & (place == 0) if leading else torch.zeros_like(valid)
    return {"cls": first, "image_mean": patches, "image_tokens": patches}


def text_masks(tokens: Tokens, marks: Tensor, image_first: bool) -> dict[str, Tensor]:
    """Return the masks (b, t) of the spans in a language model.

    ``marks``: bool, shape (b, t); true at all tokens of images: placeholders and delimiters.
    """
    place = torch.arange(tokens.ids.shape[1], device=tokens.ids.device)
    marks = marks & tokens.valid
    text = tokens.valid & ~marks
    if image_first:
        last_mark = torch.where(marks, place, -1).amax(dim=1, keepdim=True)
        text = text & (place > last_mark)
    last = torch.where(tokens.valid, place, -1).amax(dim=1, keepdim=True)
    return {
        "image_mean": tokens.image,
        "text_mean": text,
        "last": place == last,
        "all_mean": tokens.valid,
        "image_tokens": tokens.image,
    }


def pool(hidden: Tensor, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the mean over each mask in float32, in one pass over the hidden states.

    Result: dict of Tensor, float32, shape (b, d), or (b, q, d).

    Parameters
    ----------
    hidden : shape (b, t, d)
    masks : by span, bool or weights, shape (b, t), or (b, q, t) for q means of each row
        The mean over an empty mask is NaN.
    """
    b, t, d = hidden.shape
    stacked = torch.cat([mask.reshape(b, -1, t) for mask in masks.values()], dim=1).float()
    weights = stacked / stacked.sum(dim=2, keepdim=True)  # (b, all masks, t)
    means = torch.bmm(weights, hidden.float())  # (b, all masks, d)
    parts = means.split([mask.numel() // (b * t) for mask in masks.values()], dim=1)
    shapes = [(*mask.shape[:-1], d) for mask in masks.values()]
    return {span: m.reshape(s) for span, m, s in zip(masks, parts, shapes, strict=True)}


def keep(hidden: Tensor, mask: Tensor) -> list[Tensor]:
    """Return the masked tokens of each row: a float32 tensor (its tokens, d) per row."""
    return list(hidden[mask].float().split(mask.sum(dim=1).tolist()))
