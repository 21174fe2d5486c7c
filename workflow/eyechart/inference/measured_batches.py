"""Find the fastest batch size by trial and cache it per model, machine and kind of work.

Sizes do not affect results beyond rounding (tested: 1e-5). Deleting the folder
``~/.cache/eyechart/batches`` makes the next run time batches again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from eyechart.core.errors import UserError
from eyechart.core.files import read_json, write_json

if TYPE_CHECKING:
    from eyechart.models.families.base import Adapter

LOG = logging.getLogger("eyechart")

A = TypeVar("A")
B = TypeVar("B")

RUNS = 2  # timed batches per size; the faster one counts, to exclude warm-up
ENOUGH = 8  # rows of a batch that is timed only once
GAIN = 1.02  # a larger batch must be faster by this factor, as it takes more memory
SHARE = 0.5  # share of the initially free memory that batches may take


class Trial:
    """Batch sizes of one kind of work, tried in turn until the fastest is known.

    Parameters
    ----------
    most : largest size
    kept : cache file of the fastest size, or None to cache nothing
    timed : whether to try sizes; otherwise the largest is used
    """

    def __init__(
        self, device: torch.device, most: int, kept: Path | None = None, *, timed: bool
    ) -> None:
        self.device, self.most, self.kept = device, most, kept
        known = (read_size(kept) if kept else None) if timed else most
        self.size, self.settled = min(known or 1, most), known is not None or most == 1
        self.seconds: dict[int, list[float]] = {}  # per row, by size
        self.free, self.first = (0, 0) if self.settled else (free_bytes(device), peak_bytes(device))

    def run(self, few: Sequence[A], work: Callable[[Sequence[A]], B]) -> B:
        """Return the result of a batch; time the work if the fastest size is not yet known."""
        if self.settled or len(few) != self.size:
            return work(few)
        start = seconds(self.device)
        found = work(few)
        own = self.seconds.setdefault(self.size, [])
        own.append((seconds(self.device) - start) / len(few))
        if len(own) == RUNS or self.size >= ENOUGH:
            self._go_on()
        return found

    def stop(self, most: int) -> None:
        """Limit sizes to ``most``, since more rows do not fit."""
        self.most = most
        if self.size > most:
            self._settle()

    def _go_on(self) -> None:
        """Double the size, or settle if it is slower, largest, or close to the memory limit."""
        best = {size: min(own) for size, own in self.seconds.items()}
        slower = best[self.size] > GAIN * min(best.values())
        grown = peak_bytes(self.device) - self.first
        if slower or 2 * self.size > self.most or 2 * grown > SHARE * self.free:
            self._settle()
        else:
            self.size *= 2

    def _settle(self) -> None:
        best = {n: min(own) for n, own in self.seconds.items() if n <= self.most}
        limit = GAIN * min(best.values(), default=0)
        self.size = min((n for n, s in best.items() if s <= limit), default=self.most)
        self.settled = True
        if self.kept:
            write_size(self.kept, self.size)


def seconds(device: torch.device) -> float:
    """Return the time in seconds: this thread's alone if the model uses one thread."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    return time.thread_time() if alone else time.perf_counter()


def peak_bytes(device: torch.device) -> int:
    """Return the peak memory so far, of the device or of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def free_bytes(device: torch.device) -> int:
    """Return the free memory, of the device or within the limits of machine and job."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    known = Path("/proc/meminfo")  # on Linux
    lines = known.read_text().splitlines() if known.exists() else []
    found = (1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    free = next(found, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
    except (OSError, ValueError):  # no such limit, or not a number
        return free
    return min(free, limit - peak_bytes(device))


def machine(device: torch.device) -> str:
    """Return the name of a device, with the number of threads for a CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line for line in lines if line.startswith("model name")).partition(":")[2]
    except (OSError, StopIteration):
        name = os.uname().machine
    return f"{name.strip()}, {torch.get_num_threads()} threads"


def kept_at(adapter: Adapter, kind: str) -> Path | None:
    """Return the file that caches the fastest size for some work; None without a home folder."""
    spec, model = adapter.spec, adapter.model
    facts: list[Any] = [spec.checkpoint, spec.revision, type(model).__name__, str(adapter.dtype)]
    facts += [sum(p.numel() for p in model.parameters()), machine(adapter.device)]
    facts += [str(getattr(model, "quantization_method", None)), str(torch.__version__), kind]
    name = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        return None
    return Path(home) / "eyechart" / "batches" / f"{name}.json"


def read_size(path: Path) -> int | None:
    """Return the cached size, or None if none can be read."""
    try:
        size = read_json(path)["size"] if path.exists() else None
    except (UserError, KeyError, TypeError, OSError):
        return None
    return size if isinstance(size, int) and size > 0 else None


def write_size(path: Path, size: int) -> None:
    """Cache a size if the cache is writable."""
    try:
        write_json(path, {"size": size})
    except OSError as error:
        LOG.debug("%s: batch size %d is not kept (%s)", path, size, error)
