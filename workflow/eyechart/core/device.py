"""Where tensors are computed: the one meaning of ``device`` in every section of the config."""

import torch

from eyechart.core.errors import UserError

DEVICES = ("cuda", "mps", "cpu")  # the order in which ``auto`` looks for one


def device_of(name: str) -> torch.device:
    """Give the device: ``cuda``, ``mps`` or ``cpu``, or the first of these that there is, ``auto``.

    Raises
    ------
    UserError
        If a device is asked for that there is none of.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in DEVICES if there.get(kind, True)))
    if not there.get(name, True):
        raise UserError(f"device: {name!r} asked for but none found; use 'auto' or 'cpu'")
    return torch.device(name)
