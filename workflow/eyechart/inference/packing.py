"""Pack several questions about one image into one row, separated by attention masks.

A row continues a prefix. Every question attends to the prefix and its own earlier tokens, and its
positions count from the prefix's end, as if it were alone. So the prefix's keys and values are
needed once per row instead of once per question, and no question is padded to another's length.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

PACK_TOKENS = (
    256  # row length: long enough for efficient matrix products, short enough for the mask
)

T = TypeVar("T")


@dataclass(frozen=True)
class Pack:
    """Layout of the questions in b rows."""

    # int64, shape (b, t); index of a token's question within its row; -1 at padding
    question: Tensor
    offset: Tensor  # int64, shape (b, t); index of a token within its question

    def mask(self, past: Tensor) -> Tensor:
        """Return the attention mask, bool (b, t, s + t), given s earlier positions (b, s)."""
        t = self.question.shape[1]
        same = self.question[:, :, None] == self.question[:, None, :]
        own = same & torch.ones(t, t, dtype=torch.bool, device=past.device).tril()
        return torch.cat([past[:, None, :].expand(-1, t, -1), own], dim=2)

    def spans(self) -> tuple[dict[str, Tensor], Tensor]:
        """Return each question's span masks, bool (b, q, t), and which questions exist, (b, q)."""
        numbers = torch.arange(int(self.question.max()) + 1, device=self.question.device)
        own = self.question[:, None, :] == numbers[None, :, None]
        place = torch.arange(own.shape[2], device=own.device)
        last = place == torch.where(own, place, -1).amax(dim=2, keepdim=True)
        return {"text_mean": own, "last": own & last, "all_mean": own}, own.any(dim=2)


def pack(rows: Sequence[Sequence[Sequence[int]]], device: torch.device) -> Pack:
    """Return the layout of consecutive questions, row by row."""
    longest = max(sum(map(len, row)) for row in rows)
    question = torch.full((len(rows), longest), -1)
    offset = torch.zeros_like(question)
    for b, row in enumerate(rows):
        numbers = [n for n, ids in enumerate(row) for _ in ids]
        question[b, : len(numbers)] = torch.tensor(numbers)
        offset[b, : len(numbers)] = torch.tensor([k for ids in row for k in range(len(ids))])
    return Pack(question.to(device), offset.to(device))


def fill(values: Sequence[T], lengths: Sequence[int], room: int) -> Iterator[list[T]]:
    """Yield groups of consecutive values whose lengths add up to at most ``room``.

    >>> list(fill("abcd", [3, 2, 9, 1], 5))
    [['a', 'b'], ['c'], ['d']]
    """
    group: list[T] = []
    taken = 0
    for value, length in zip(values, lengths, strict=True):
        if group and taken + length > room:
            yield group
            group, taken = [], 0
        group.append(value)
        taken += length
    if group:
        yield group
