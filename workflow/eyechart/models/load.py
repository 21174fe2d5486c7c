"""Find a model's family and load its checkpoint.

The family's module is imported by name, so that adding or editing a family changes the code hash of
no other family's steps; a rule adds the hash of ``module_of(family)`` to that of its step.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from eyechart.errors import UserError, nearest
from eyechart.models.spec import Spec

if TYPE_CHECKING:
    from eyechart.models.families.base import Adapter

FAMILIES = Path(__file__).parent / "families"
SHARED = ("__init__", "base", "language")


def families() -> list[str]:
    """Give the names of all families."""
    return sorted(p.stem for p in FAMILIES.glob("*.py") if p.stem not in SHARED)


def module_of(family: str) -> str:
    """Give the dotted name of the module that holds a family's adapter."""
    return f"eyechart.models.families.{family}"


def load(spec: Spec, checkpoint: Path, device: torch.device) -> "Adapter":
    """Load a checkpoint, in the spec's precision, ready to be read from.

    Raises
    ------
    UserError
        If the family is unknown or the checkpoint is not whole.
    """
    if spec.family not in families():
        raise UserError(f"unknown family {spec.family!r}; {nearest(spec.family, families())}")
    adapter: type[Adapter] = importlib.import_module(module_of(spec.family)).FAMILY
    return adapter.load(checkpoint, spec, device)
