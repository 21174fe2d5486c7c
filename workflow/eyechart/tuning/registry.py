"""The arms of tuning by name, with the components that they train.

Snakemake imports this module at parse time, so it must not import numpy or torch.
"""

from collections.abc import Mapping
from typing import Any

from eyechart.tables.conditions import BLANK, SHUFFLED, TRUE

# The components whose linear layers get an adapter, by arm
LORA = {"lora_vision": ("vision",), "lora_connector": ("connector",), "lora_lm": ("lm", "decoder")}
PROMPT = "prompt"


def arms(section: Mapping[str, Any]) -> list[str]:
    """Return the names of all arms in the section ``tuning``.

    >>> arms({"arms": ["prompt", "lora_lm"], "prompts": [1, 5]})
    ['prompt_1', 'prompt_5', 'lora_lm']
    """
    found = []
    for kind in section["arms"]:
        found += [f"{PROMPT}_{k}" for k in section["prompts"]] if kind == PROMPT else [kind]
    return found


def prompt_tokens(arm: str) -> int:
    """Return the number of embeddings of an arm, or 0 if it tunes weights."""
    kind, _, count = arm.rpartition("_")
    return int(count) if kind == PROMPT else 0


def kinds(section: Mapping[str, Any]) -> list[str]:
    """Return the kinds of data that each arm is trained on."""
    return [TRUE, BLANK, *([SHUFFLED] if section["shuffled"] else [])]


def runs(section: Mapping[str, Any]) -> list[str]:
    """Return the names of an arm's trainings: the kind of data and the seed's number."""
    return [f"{data}-{seed}" for seed in range(section["seeds"]) for data in kinds(section)]
