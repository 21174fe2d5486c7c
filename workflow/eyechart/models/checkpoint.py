"""Load models from folders in Hugging Face layout and check that no weight is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers

from eyechart.core.device import device_of
from eyechart.core.errors import UserError, lacks, shorter, shown
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import Spec

# Errors whose text alone says little, such as the name of a missing key
_OF_CODE = (LookupError, TypeError, AttributeError, ArithmeticError)
COMPUTED = "rotary_emb.inv_freq"  # not learned; old checkpoints contain it, or old models expect it


def load_model(
    model_class: Any,
    checkpoint: Path,
    spec: Spec,
    loading: LoadOptions,
    unused: Sequence[str] = (),
    **more: Any,
) -> tuple[Any, torch.device]:
    """Load a model for inference; return it and the device of its inputs.

    Raise a UserError if the folder is not a checkpoint, or if a weight is missing, unexpected or
    has the wrong shape.

    Parameters
    ----------
    unused : name prefixes of weights that the folder may hold in addition to the model's
    more : further arguments of the class's ``from_pretrained``; with ``state_dict`` and ``config``,
        nothing is read from the folder
    """
    where = {"local_files_only": True, "trust_remote_code": loading.trusts(spec)}
    if not (Path(checkpoint) / "config.json").is_file():
        raise UserError(f"{checkpoint}: no config.json, expected a Hugging Face model")
    with quiet(), one_sentence(checkpoint):
        model, report = model_class.from_pretrained(
            None if "state_dict" in more else checkpoint,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported below instead
            use_safetensors=spec.weights == "safetensors",
            **loading.arguments(spec),
            **where,
            **more,
        )
    check_keys(checkpoint, report, spec, unused)
    device = model.device if loading.places else device_of(loading.device)
    model = model.eval().requires_grad_(False)
    return (model if loading.places else model.to(device)), device


def check_keys(checkpoint: Path, report: dict[str, Any], spec: Spec, unused: Sequence[str]) -> None:
    """Raise a UserError for the first missing, unexpected or mismatched weight."""
    for kind in ("missing", "unexpected", "mismatched"):
        for key in sorted(_name(k) for k in report[f"{kind}_keys"]):
            spare = kind == "unexpected" and key.startswith(tuple(unused))
            if not (spare or key.endswith(COMPUTED)):
                raise UserError(
                    f"{checkpoint}: {kind} key {shown(key)} in the weights of {spec.family}"
                )


def load_processor(checkpoint: Path, spec: Spec, loading: LoadOptions) -> Any:
    """Load the checkpoint's processor, for text and images or for images alone."""
    where = {"local_files_only": True, "trust_remote_code": loading.trusts(spec)}
    with quiet(), one_sentence(checkpoint):
        return transformers.AutoProcessor.from_pretrained(checkpoint, **where)


def empty_model(model_class: Any, checkpoint: Path, spec: Spec, loading: LoadOptions) -> Any:
    """Return the model without weights, on the meta device; only config.json is read."""
    where = {"local_files_only": True, "trust_remote_code": loading.trusts(spec)}
    with quiet(), one_sentence(checkpoint):
        config = transformers.AutoConfig.from_pretrained(checkpoint, **where)
        with torch.device("meta"):
            return getattr(model_class, "from_config", model_class)(config)


@contextmanager
def one_sentence(checkpoint: Path) -> Iterator[None]:
    """Convert errors of code that reads a checkpoint to a UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # any kind: an untrusted file can fail deep inside transformers
        if lacks(error):
            raise
        kind = f"{type(error).__name__}: " if isinstance(error, _OF_CODE) else ""
        raise UserError(f"{checkpoint}: {kind}{shorter(error, 250)}") from None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' loading reports and progress bars; problems are raised as errors."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _name(key: Any) -> str:
    return str(key[0] if isinstance(key, tuple) else key)
