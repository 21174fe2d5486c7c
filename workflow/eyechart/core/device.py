"""The device of a job: what ``device`` means in every section of the configuration."""

import torch

from eyechart.core.errors import UserError

DEVICES = ("cuda", "mps", "cpu")  # in the order in which ``auto`` tries them


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
