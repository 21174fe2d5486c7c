"""Batch sizes: fixed or found by timing the first batches, and halved if memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import torch

from eyechart.core.errors import UserError
from eyechart.inference import measured_batches as measured

if TYPE_CHECKING:
    from eyechart.models.families.base import Adapter

A = TypeVar("A")
B = TypeVar("B")

LARGEST = {"cpu": 16, "cuda": 64}  # rows; larger batches are not faster (``plan`` assumes 16)


class AdaptiveBatchSize:
    """A batch size; ``auto`` times batches of 1, 2, 4, … rows and keeps the fastest size.

    Parameters
    ----------
    size : int or ``auto``
    setting : name of the setting, for error messages
    adapter : the model, whose fastest sizes are cached for its next run on this machine; None to
        cache nothing

    Attributes
    ----------
    size : number of rows to prepare at once
    """

    def __init__(
        self,
        size: int | str,
        setting: str = "extraction.batch_size",
        adapter: Adapter | None = None,
    ) -> None:
        self.setting, self.adapter = setting, adapter
        self.device = adapter.device if adapter else torch.device("cpu")
        self.auto = isinstance(size, str)
        most = LARGEST.get(self.device.type, LARGEST["cuda"])
        self.size = most if isinstance(size, str) else size
        self.trials: dict[str, measured.Trial] = {}

    def over(
        self, values: Sequence[A], work: Callable[[Sequence[A]], B], kind: str = "", length: int = 0
    ) -> Iterator[tuple[Sequence[A], B]]:
        """Yield batches of consecutive values, each with the result of ``work``.

        If memory runs out, the same values are retried in smaller batches, so ``work`` must have no
        side effects when it fails. Raise a UserError if memory runs out and the size is fixed or
        already 1. Each kind of work, and each doubling of the row ``length``, is timed
        separately.
        """
        done = 0
        trial = self._trial(f"{kind or self.setting} {length.bit_length()}")
        while done < len(values):
            few = values[done : done + trial.size]
            try:
                found = trial.run(few, work)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                self.shrink(len(few))
                continue
            yield few, found
            done += len(few)

    def shrink(self, rows: int) -> None:
        """Halve the largest size; raise a UserError if the size is fixed or already 1."""
        if not self.auto:
            raise UserError(
                f"{self.setting}: out of memory at {rows}; use a smaller number, or 'auto'"
            ) from None
        if rows == 1:
            raise UserError(
                "out of memory with one row in a batch; use a device with more memory, "
                "loading.bits: 8 or 4, or smaller images"
            ) from None
        self.size = rows // 2
        for trial in self.trials.values():
            trial.stop(self.size)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _trial(self, kind: str) -> measured.Trial:
        if kind not in self.trials:
            kept = measured.kept_at(self.adapter, kind) if self.adapter and self.auto else None
            self.trials[kind] = measured.Trial(self.device, self.size, kept, timed=self.auto)
        return self.trials[kind]


def out_of_memory(error: Exception) -> bool:
    """Return whether an error means that the GPU or CPU ran out of memory."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text
    )
