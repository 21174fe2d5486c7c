"""The device of a job, as named by ``device`` in every section of the configuration."""

import ctypes

import torch

from eyechart.core.errors import UserError

DEVICES = ("cuda", "mps", "cpu")  # in the order in which ``auto`` tries them
# Parameters of glibc's mallopt (malloc.h) and their values: bytes to keep, and the largest allowed
_MALLOPT = {-1: 1 << 30, -3: 1 << 25}  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD


def device_of(name: str) -> torch.device:
    """Return the device with a name; ``auto`` is the first available one of :data:`DEVICES`.

    Raise a UserError if the device is not available.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in DEVICES if there.get(kind, True)))
    if not there.get(name, True):
        raise UserError(f"device: {name!r} requested, but none was found; use 'auto' or 'cpu'")
    return torch.device(name)


def keep_freed_memory() -> None:
    """Let this process keep up to 1 GiB of freed memory, if its malloc is glibc's.

    A forward pass frees all memory that it allocated. By default, this returns to the system, and
    the next pass gets it back as zeroed pages, which takes up to a quarter of a small model's
    processor time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in _MALLOPT.items():
            mallopt(parameter, value)
