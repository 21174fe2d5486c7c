"""Batch sizes: fixed, or found by halving whenever memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from eyechart.core.errors import UserError

A = TypeVar("A")
B = TypeVar("B")

AUTO_START = 64  # images or prompts; larger batches are hardly faster


class AdaptiveBatchSize:
    """A batch size; ``auto`` starts large and is halved for good whenever memory runs out.

    Parameters
    ----------
    size : int or ``auto``
    setting : name of the setting, for errors
    """

    def __init__(self, size: int | str, setting: str = "extraction.batch_size") -> None:
        self.setting = setting
        self.auto = size == "auto"
        self.size = AUTO_START if isinstance(size, str) else size

    def over(
        self, values: Sequence[A], work: Callable[[Sequence[A]], B]
    ) -> Iterator[tuple[Sequence[A], B]]:
        """Yield batches of consecutive values, each with the result of ``work``.

        If memory runs out, the same values are retried in smaller batches, so ``work`` must have no
        side effects when it fails. Raise a UserError if memory runs out and the size is fixed, or
        is down to one.
        """
        done = 0
        while done < len(values):
            few = values[done : done + self.size]
            try:
                found = work(few)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                self.shrink()
                continue
            yield few, found
            done += len(few)

    def shrink(self) -> None:
        """Halve the size; raise a UserError if it is fixed or one."""
        if not self.auto:
            raise UserError(
                f"{self.setting}: out of memory at {self.size}; use a smaller number, or 'auto'"
            ) from None
        if self.size == 1:
            raise UserError(
                "out of memory with one row in a batch; use a device with more memory, "
                "loading.bits: 8 or 4, or smaller images"
            ) from None
        self.size = (self.size + 1) // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def out_of_memory(error: Exception) -> bool:
    """Return whether an error of GPU or CPU means that memory ran out."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text
    )
