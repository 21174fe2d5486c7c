"""Check the weight files of an untrusted checkpoint before a library reads them."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from eyechart.core.errors import UserError, shorter
from eyechart.models.sources.hub_files import INDEX
from eyechart.models.sources.ready_file import check_index

_WHOLE = ("model.safetensors", "pytorch_model.bin")  # next to one of these, no index is read


def check(checkpoint: Path) -> None:
    """Raise a UserError if a weight file is damaged, or an index leads out of the folder."""
    there = checkpoint.iterdir() if checkpoint.is_dir() else ()
    beside = {path.name for path in there if path.is_file()}
    for name in sorted(beside):
        if name.endswith(".safetensors"):
            check_header(checkpoint / name)
    for name in beside.intersection(INDEX.values()) if beside.isdisjoint(_WHOLE) else ():
        check_index(checkpoint / name, beside)


def check_header(path: Path) -> None:
    """Raise a UserError unless a file is a safetensors header followed by its tensors' bytes."""
    try:
        with safe_open(path, "pt"):
            pass
    except SafetensorError as error:
        why = str(error).removeprefix("Error while deserializing header: ")
        raise UserError(f"{path}: damaged, or not safetensors ({shorter(why)})") from None


def check_finite(model: Any, checkpoint: str) -> None:
    """Raise a UserError if a weight of a loaded model is NaN or infinite."""
    for name, weight in model.named_parameters():
        plain = weight.dtype in (torch.float32, torch.float16, torch.bfloat16)
        here = weight.numel() > 0 and weight.device.type != "meta"  # not offloaded to a disk
        if plain and here and not torch.stack(weight.aminmax()).isfinite().all():
            raise UserError(f"{checkpoint}: weight {name} is NaN or infinite")
