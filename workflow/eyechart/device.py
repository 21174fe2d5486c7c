"""Where tensors are computed: the one meaning of ``device`` in every section of the config."""

import torch

from eyechart.errors import UserError


def device_of(name: str) -> torch.device:
    """Give the device: ``cpu``, ``cuda``, or ``auto`` for cuda where there is one.

    Raises
    ------
    UserError
        If ``cuda`` is asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device: 'cuda' asked for but none found; use 'auto' or 'cpu'")
    found = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(found if name == "auto" else name)
