"""Find a model's family and load its checkpoint.

The family's module is imported by name, so that adding or editing a family does not change the code
hash of other families' steps. A rule adds the hash of ``module_of(family)`` to its step's hash.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from eyechart.core import collection
from eyechart.core.device import keep_freed_memory
from eyechart.core.errors import UserError, lacks
from eyechart.models import limits, soft_prompt, weight_files
from eyechart.models.checkpoint import check_size
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import Spec, check_family, saved_class

if TYPE_CHECKING:
    from eyechart.models.families.base import Adapter


def module_of(family: str) -> str:
    """Return the dotted name of the module with a family's adapter."""
    return f"eyechart.models.families.{family}"


def adapter_of(spec: Spec, checkpoint: Path | None = None) -> type[Adapter]:
    """Return the adapter class of a spec's family, or the one for its image tower alone.

    Raise a UserError if there is no such family.
    """
    check_family(spec.family)
    found: type[Adapter] = importlib.import_module(module_of(spec.family)).FAMILY
    return found.for_class(saved_class(checkpoint)) if checkpoint else found


def check_torchvision() -> None:
    """Raise a UserError if the installed torchvision cannot run with the installed torch.

    transformers would hide the error behind one about a processor, even for models that need none.
    """
    if "torchvision" in sys.modules or importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except Exception as error:  # its type depends on how the builds differ
        if lacks(error):
            raise
        raise UserError(
            f"torchvision {version('torchvision')} does not work with torch {version('torch')} "
            f"({' '.join(str(error).split())}); install both for the same device, CPU or CUDA, as "
            "in docs/own_models.md"
        ) from None


@collection.paused()
def load(spec: Spec, checkpoint: Path, loading: LoadOptions, first: bool = False) -> Adapter:
    """Load a checkpoint for inference; the ``first`` time, also compare its size with its config.

    Raise a UserError if the family is unknown, if the checkpoint is incomplete, damaged or exceeds
    the limits, if its code is not allowed to run, or if torch and torchvision are incompatible.
    """
    check_torchvision()
    limits.check(checkpoint)
    family = adapter_of(spec, checkpoint)
    if first:
        check_size(family.model_class(), checkpoint, spec, loading)
    weight_files.check(checkpoint)
    adapter = family.load(checkpoint, spec, loading)
    soft_prompt.restore(adapter, checkpoint)
    keep_freed_memory()
    return adapter
