"""A batch that does not fit is tried again in halves, and what fitted is remembered."""

import pytest
import torch

from eyechart.core.errors import UserError
from eyechart.inference.batches import AUTO_START, AdaptiveBatchSize


class Device:
    """Has room for so many rows at once."""

    def __init__(self, room, error=torch.cuda.OutOfMemoryError):
        self.room, self.error, self.tried = room, error, []

    def __call__(self, rows):
        self.tried.append(len(rows))
        if len(rows) > self.room:
            raise self.error("CUDA out of memory. Tried to allocate 2 GiB")
        return [row * 10 for row in rows]


@pytest.mark.parametrize("room", [1, 5, 64, 1000])
@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError, RuntimeError])
def test_every_row_is_worked_on_once_and_in_order_however_little_room_there_is(room, error):
    device, batches = Device(room, error), AdaptiveBatchSize("auto")
    done = [out for _, out in batches.over(range(150), device)]
    assert [row for out in done for row in out] == [row * 10 for row in range(150)]


def test_what_fitted_is_where_the_next_rows_begin():
    device, batches = Device(20), AdaptiveBatchSize("auto")
    list(batches.over(range(AUTO_START), device))
    device.tried.clear()
    list(batches.over(range(40), device))
    assert max(device.tried) <= device.room


def test_a_size_that_was_told_is_kept_and_its_failure_is_one_sentence():
    with pytest.raises(UserError, match="out of memory at 8; use a smaller number, or 'auto'"):
        list(AdaptiveBatchSize(8).over(range(9), Device(4)))


def test_a_single_row_that_does_not_fit_is_one_sentence():
    with pytest.raises(UserError, match="out of memory with one row"):
        list(AdaptiveBatchSize("auto").over(range(9), Device(0)))


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    with pytest.raises(ValueError, match="wrong"):
        list(
            AdaptiveBatchSize("auto").over(
                [1], lambda rows: (_ for _ in ()).throw(ValueError("wrong"))
            )
        )
