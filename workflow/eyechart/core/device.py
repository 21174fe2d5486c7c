"""The device of a job: what ``device`` means in every section of the configuration."""

import ctypes

import torch

from eyechart.core.errors import UserError

DEVICES = ("cuda", "mps", "cpu")  # in the order in which ``auto`` tries them
# Parameters of glibc's mallopt (malloc.h), and values: bytes to keep, and the most that it allows
_MALLOPT = {-1: 1 << 30, -3: 1 << 25}  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD


def device_of(name: str) -> torch.device:
    """Return the device of a name; ``auto`` is the first of :data:`DEVICES` that is available.

    Raise a UserError if the device is not available.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in DEVICES if there.get(kind, True)))
    if not there.get(name, True):
        raise UserError(f"device: {name!r} requested, but none was found; use 'auto' or 'cpu'")
    return torch.device(name)


def keep_freed_memory() -> None:
    """Let this process keep up to 1 GiB of what it frees, where its malloc is glibc's.

    A pass frees all that it took. By default this goes back to the system, and the next pass gets
    it page by page, each filled with zeros: up to a quarter of a small model's processor time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in _MALLOPT.items():
            mallopt(parameter, value)
