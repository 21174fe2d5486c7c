"""Merge a PEFT adapter into a model, which keeps the speed and the addresses of its base.

LoRA changes the weights. The embeddings of a soft prompt become a file of the checkpoint.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peft import PeftConfig, get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file

from eyechart.core.errors import UserError
from eyechart.core.files import read_json
from eyechart.models import soft_prompt
from eyechart.models.families.base import Adapter

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PROMPT = "PROMPT_TUNING"
MERGED = ("LORA", PROMPT)


def derive(adapter: Adapter, settings: dict[str, Any], seed: int) -> None:
    """Merge the adapter in ``settings["folder"]`` into a loaded model's weights.

    Raise the errors of :func:`attach`.
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
        tensors = load_file(folder / WEIGHTS)
        if list(tensors) != [soft_prompt.KEY]:
            raise UserError(f"{folder / WEIGHTS}: expected {soft_prompt.KEY} alone")
        soft_prompt.attach(adapter, tensors[soft_prompt.KEY])
        return None
    config = PeftConfig.from_pretrained(str(folder))
    config.base_model_name_or_path = adapter.model.name_or_path  # wherever it was trained
    model = get_peft_model(adapter.model, config)
    report: Any = set_peft_model_state_dict(model, load_file(folder / WEIGHTS))
    missing = [key for key in report.missing_keys if ".lora_" in key]
    for kind, keys in (("unexpected", report.unexpected_keys), ("missing", missing)):
        if keys:
            raise UserError(
                f"{folder / WEIGHTS}: {kind} key {sorted(keys)[0]} for {adapter.spec.family}; was "
                "the adapter trained on this model?"
            )
    return model


def check_folder(folder: Path) -> None:
    """Raise a UserError if a folder has no mergeable adapter in PEFT's layout."""
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise UserError(f"{folder}: no {name} in it, expected the folder of a PEFT adapter")
    kind = read_json(folder / CONFIG).get("peft_type")
    if kind not in MERGED:
        raise UserError(
            f"{folder / CONFIG}: peft_type is {kind!r}, expected {' or '.join(MERGED)}: no other "
            "kind can be merged into a model"
        )
