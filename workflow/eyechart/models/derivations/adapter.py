"""Merge a PEFT adapter into a model, which keeps the speed and the addresses of its base.

LoRA changes the weights. The embeddings of a soft prompt become a file of the checkpoint.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peft import PeftConfig, get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file

from eyechart.core.errors import UserError, shown
from eyechart.core.files import read_json
from eyechart.models import soft_prompt
from eyechart.models.checkpoint import one_sentence
from eyechart.models.families.base import Adapter
from eyechart.models.weight_files import check_header

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PROMPT = "PROMPT_TUNING"
MERGED = ("LORA", PROMPT)


def derive(adapter: Adapter, settings: dict[str, Any], seed: int) -> None:
    """Merge the adapter in ``settings["folder"]`` into a loaded model's weights.

    Raise the same errors as :func:`attach`.
    """
    model = attach(adapter, Path(settings["folder"]))
    if model is not None:
        model.merge_and_unload(safe_merge=True)


def attach(adapter: Adapter, folder: Path) -> Any | None:
    """Attach an adapter to a loaded model without merging; return PEFT's model for LoRA.

    Raise a UserError if the folder has no adapter, or one that cannot be merged or is for other
    modules.
    """
    check_folder(folder)
    if read_json(folder / CONFIG)["peft_type"] == PROMPT:
        soft_prompt.attach(adapter, soft_prompt.read(folder / WEIGHTS))
        return None
    check_header(folder / WEIGHTS)
    with one_sentence(folder):
        config = PeftConfig.from_pretrained(str(folder))
        config.base_model_name_or_path = adapter.model.name_or_path  # wherever it was trained
        model = get_peft_model(adapter.model, config)
        report: Any = set_peft_model_state_dict(model, load_file(folder / WEIGHTS))
    missing = [key for key in report.missing_keys if ".lora_" in key]
    for kind, keys in (("unexpected", report.unexpected_keys), ("missing", missing)):
        if keys:
            raise UserError(
                f"{folder / WEIGHTS}: {kind} key {shown(sorted(keys)[0])} for "
                f"{adapter.spec.family}; was the adapter trained on this model?"
            )
    return model


def check_folder(folder: Path) -> None:
    """Raise a UserError if a folder has no mergeable adapter in PEFT's layout."""
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise UserError(f"{folder}: no {name} in it, expected the folder of a PEFT adapter")
    held = read_json(folder / CONFIG)
    kind = held.get("peft_type") if isinstance(held, dict) else None
    if kind not in MERGED:
        raise UserError(
            f"{folder / CONFIG}: peft_type is {shown(kind)}, expected {' or '.join(MERGED)}: no "
            "other kind can be merged into a model"
        )
