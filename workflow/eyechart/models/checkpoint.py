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
from eyechart.core.files import read_json
from eyechart.models.load_options import LoadOptions
from eyechart.models.spec import Spec

# Errors whose text alone says little, such as the name of a missing key
_OF_CODE = (LookupError, TypeError, AttributeError, ArithmeticError)
COMPUTED = "rotary_emb.inv_freq"  # not learned; old checkpoints contain it, or old models expect it
MOST_PER_BYTE = 4  # weights; quantised ones have two
ANY_SIZE = 10_000_000  # weights; a smaller model is harmless


def load_model(
    model_class: Any,
    checkpoint: Path,
    spec: Spec,
    loading: LoadOptions,
    unused: Sequence[str] = (),
    **more: Any,
) -> tuple[Any, torch.device]:
    """Load a model for inference; return it and the device of its inputs.

    Raise a UserError if the folder is not a checkpoint, or if a weight is missing or
    unexpected or has the wrong shape.

    Parameters
    ----------
    unused : name prefixes of weights that the folder may hold in addition to the model's
    more : further arguments of the class's ``from_pretrained``; with ``state_dict`` and ``config``,
        nothing is read from the folder
    """
    where = {"local_files_only": True, "trust_remote_code": loading.trusts(spec)}
    path = Path(checkpoint) / "config.json"
    if not path.is_file():
        raise UserError(f"{checkpoint}: no config.json, expected a Hugging Face model")
    if "config" not in more and not spec.trust_remote_code and not _kind(path):
        raise UserError(f"{path}: model_type is missing, expected a Hugging Face model")
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


def check_size(model_class: Any, checkpoint: Path, spec: Spec, loading: LoadOptions) -> None:
    """Raise a UserError if config.json describes far more weights than the folder has.

    transformers would initialise all of them before it reports that they are missing. Models with
    their own code or layout are not checked.
    """
    if spec.trust_remote_code or not _kind(checkpoint / "config.json"):
        return
    model = empty_model(model_class, checkpoint, spec, loading)
    described = sum(weight.numel() for weight in model.parameters())
    files = [path for path in checkpoint.iterdir() if path.suffix in (".safetensors", ".bin")]
    held = sum(path.stat().st_size for path in files if path.is_file())
    if described > MOST_PER_BYTE * held + ANY_SIZE:
        raise UserError(
            f"{checkpoint}: config.json describes {described:,} weights, but the weight files have "
            f"only {held:,} bytes"
        )


def _kind(path: Path) -> Any:
    """Return the ``model_type`` in a config.json, if there is one."""
    held = read_json(path) if path.is_file() else None
    return held.get("model_type") if isinstance(held, dict) else None


@contextmanager
def one_sentence(checkpoint: Path) -> Iterator[None]:
    """Convert errors of code that reads a checkpoint to a UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # of any class: an untrusted file can fail deep inside transformers
        if lacks(error):
            raise
        _check_tokenizer(checkpoint)  # only now, since it can have 40 MB
        kind = f"{type(error).__name__}: " if isinstance(error, _OF_CODE) else ""
        raise UserError(f"{checkpoint}: {kind}{shorter(error, 250)}") from None


def _check_tokenizer(checkpoint: Path) -> None:
    """Raise a UserError if the tokenizer's file is not a JSON object."""
    path = Path(checkpoint) / "tokenizer.json"
    if path.is_file() and not isinstance(held := read_json(path), dict):
        raise UserError(f"{path}: holds {shown(held)}, expected a JSON object")


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
