"""How many rows go through the model at once: as told, or found out by running out of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from eyechart.core.errors import UserError

A = TypeVar("A")
B = TypeVar("B")

AUTO_START = 64  # pictures or prompts; more in one pass is hardly quicker


class AdaptiveBatchSize:
    """The size of batches; ``auto`` starts large, halves when memory runs out, and remembers.

    Parameters
    ----------
    size : int or ``auto``
    setting : str
        The name of the setting that says so, for errors.
    """

    def __init__(self, size: int | str, setting: str = "extraction.batch_size") -> None:
        self.setting = setting
        self.auto = size == "auto"
        self.size = AUTO_START if isinstance(size, str) else size

    def over(
        self, values: Sequence[A], work: Callable[[Sequence[A]], B]
    ) -> Iterator[tuple[Sequence[A], B]]:
        """Yield consecutive values and what ``work`` gives for them, so many at a time.

        Where memory runs out, the same values are tried again in smaller batches: ``work`` must
        leave nothing behind when it fails.

        Raises
        ------
        UserError
            If memory runs out and the size was told, or is down to one.
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
        """Halve the size, or raise a UserError where it may not be or cannot be less."""
        if not self.auto:
            raise UserError(
                f"{self.setting}: out of memory at {self.size}; use less, or 'auto'"
            ) from None
        if self.size == 1:
            raise UserError(
                "out of memory with one row in a batch; use a device with more memory, "
                "loading.bits: 8 or 4, or smaller pictures"
            ) from None
        self.size = (self.size + 1) // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def out_of_memory(error: Exception) -> bool:
    """Say whether an error is a device's, or the processor's, way of saying that memory ran out."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and (
        "out of memory" in said or "can't allocate memory" in said
    )
