"""The fastest batch size is found and cached; batches that do not fit are halved."""

from types import SimpleNamespace

import pytest
import torch

from eyechart.core.errors import UserError
from eyechart.inference import measured_batches
from eyechart.inference.batches import LARGEST, AdaptiveBatchSize
from eyechart.plan import resources


class Device:
    """A device with room for a limited number of rows at a time."""

    def __init__(self, room, error=torch.cuda.OutOfMemoryError):
        self.room, self.error, self.tried = room, error, []

    def __call__(self, rows):
        self.tried.append(len(rows))
        if len(rows) > self.room:
            raise self.error("CUDA out of memory. Tried to allocate 2 GiB")
        return [row * 10 for row in rows]


@pytest.mark.parametrize("room", [1, 5, 64, 1000])
@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError, RuntimeError])
def test_every_row_is_processed_once_in_order_whatever_the_memory(room, error):
    device, batches = Device(room, error), AdaptiveBatchSize("auto")
    done = [out for _, out in batches.over(range(150), device)]
    assert [row for out in done for row in out] == [row * 10 for row in range(150)]


def test_later_rows_start_with_the_size_that_fitted():
    device, batches = Device(5), AdaptiveBatchSize("auto")
    list(batches.over(range(64), device))
    device.tried.clear()
    list(batches.over(range(40), device))
    assert max(device.tried) <= device.room


def test_a_fixed_size_is_kept_and_its_failure_is_a_one_sentence_error():
    with pytest.raises(UserError, match="out of memory at 8; use a smaller number, or 'auto'"):
        list(AdaptiveBatchSize(8).over(range(9), Device(4)))


def test_a_single_row_that_does_not_fit_is_a_one_sentence_error():
    with pytest.raises(UserError, match="out of memory with one row"):
        list(AdaptiveBatchSize("auto").over(range(9), Device(0)))


def test_other_errors_are_not_mistaken_for_a_lack_of_memory():
    with pytest.raises(ValueError, match="wrong"):
        list(
            AdaptiveBatchSize("auto").over(
                [1], lambda rows: (_ for _ in ()).throw(ValueError("wrong"))
            )
        )


# Seconds per row by batch size, measured for a 61M-parameter model on one CPU thread
QUICKEST_8 = {1: 0.382, 2: 0.365, 4: 0.351, 8: 0.338, 16: 0.374}


class Machine:
    """A clock, and work that takes a given time and memory per row."""

    def __init__(self, monkeypatch, seconds, row_bytes=0, free=1 << 40):
        self.now, self.seconds, self.peak, self.row_bytes, self.tried = (
            0.0,
            seconds,
            0,
            row_bytes,
            [],
        )
        monkeypatch.setattr(measured_batches, "seconds", lambda _: self.now)
        monkeypatch.setattr(measured_batches, "peak_bytes", lambda _: self.peak)
        monkeypatch.setattr(measured_batches, "free_bytes", lambda _: free)

    def __call__(self, rows):
        first = 0 if self.tried else 5  # the first batch warms up
        self.tried.append(len(rows))
        self.now += first + len(rows) * self.seconds.get(len(rows), 1)
        self.peak = max(self.peak, len(rows) * self.row_bytes)
        return [row * 10 for row in rows]


class Model:
    """The attributes that identify a model."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, checkpoint="a"):
        self.spec = SimpleNamespace(checkpoint=checkpoint, revision=None)
        self.model = torch.nn.Linear(3, 3)


def settled(machine, batches, **kind):
    done = [out for _, out in batches.over(range(160), machine, **kind)]
    assert [row for out in done for row in out] == [row * 10 for row in range(160)]
    return machine.tried[-2]  # the last batch may be smaller


def test_the_fastest_size_is_found_within_the_cpus_limit(monkeypatch):
    machine = Machine(monkeypatch, QUICKEST_8)
    assert settled(machine, AdaptiveBatchSize("auto")) == 8
    assert machine.tried[:8] == [1, 1, 2, 2, 4, 4, 8, 16]
    assert set(machine.tried[8:]) == {8, 2}  # and a smaller last batch
    assert LARGEST["cpu"] == resources.AUTO_BATCH == max(machine.tried)


def test_of_equally_fast_sizes_the_smallest_is_used(monkeypatch):
    machine = Machine(monkeypatch, {1: 1, 2: 0.5, 4: 0.495, 8: 0.493, 16: 0.492})
    assert settled(machine, AdaptiveBatchSize("auto")) == 2


def test_kinds_of_work_and_row_lengths_are_timed_separately(monkeypatch):
    machine, batches = Machine(monkeypatch, QUICKEST_8), AdaptiveBatchSize("auto")
    settled(machine, batches, kind="images", length=100)
    machine.seconds = {1: 0.1, 2: 1, 4: 1, 8: 1, 16: 1}
    assert settled(machine, batches, kind="images", length=200) == 1
    assert settled(machine, batches, kind="prompts", length=100) == 1
    assert settled(machine, batches, kind="images", length=127) == 8


def test_sizes_are_limited_to_half_of_the_free_memory(monkeypatch):
    machine = Machine(monkeypatch, {n: 1 / n for n in (1, 2, 4, 8, 16)}, row_bytes=100, free=1700)
    assert settled(machine, AdaptiveBatchSize("auto")) == 8
    assert max(machine.tried) == 8


def test_a_size_is_cached_only_for_the_same_model(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    machine = Machine(monkeypatch, QUICKEST_8)
    settled(machine, AdaptiveBatchSize("auto", adapter=Model()))
    machine.tried.clear()
    settled(machine, AdaptiveBatchSize("auto", adapter=Model()))
    assert set(machine.tried) == {8}  # 20 times
    settled(machine, AdaptiveBatchSize("auto", adapter=Model("b")))
    assert 1 in machine.tried
    machine.tried.clear()
    for kept in (tmp_path / "eyechart" / "batches").iterdir():
        kept.write_text("{damaged")
    assert settled(machine, AdaptiveBatchSize("auto", adapter=Model())) == 8
    assert 1 in machine.tried


def test_an_unwritable_cache_only_causes_another_trial(monkeypatch, tmp_path):
    (tmp_path / "eyechart").write_text("a file, not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    machine = Machine(monkeypatch, QUICKEST_8)
    assert settled(machine, AdaptiveBatchSize("auto", adapter=Model())) == 8


def test_a_fixed_size_is_not_timed_or_cached(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    machine = Machine(monkeypatch, QUICKEST_8)
    settled(machine, AdaptiveBatchSize(32, adapter=Model()))
    assert set(machine.tried) == {32}
    assert list(tmp_path.iterdir()) == []


def test_the_clock_and_memory_readings_of_this_machine_work():
    cpu = torch.device("cpu")
    start = measured_batches.seconds(cpu)
    held = torch.ones(1 << 24).sum()  # 64 MiB
    assert measured_batches.seconds(cpu) > start
    assert held > 0
    assert measured_batches.peak_bytes(cpu) > 1 << 26
    assert measured_batches.free_bytes(cpu) > 0
