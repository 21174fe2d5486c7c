"""The trainable part of a loaded model: a soft prompt, or LoRA adapters of linear layers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from eyechart.core import randomness
from eyechart.core.address import component
from eyechart.core.errors import UserError
from eyechart.core.files import atomic, write_json
from eyechart.models import soft_prompt
from eyechart.models.derivations.adapter import CONFIG, WEIGHTS
from eyechart.models.families.language import LanguageAdapter
from eyechart.tuning.registry import LORA, prompt_tokens

TOLERANCE = 1.02  # ratio of the largest number of parameters to the smallest
FINE = 101  # number of ranks; rounding the largest costs at most half a percent
Parameters = dict[str, nn.Parameter]


class Arm(Protocol):
    """Trainable parameters added to a frozen model."""

    parameters: Parameters
    components: tuple[str, ...]  # components that change

    def start(self, *seed: str | int) -> None:
        """Set the parameters to their values before training."""

    def state(self) -> tuple[Any, dict[str, Tensor]]:
        """Return the configuration and the tensors of PEFT's layout."""


class PromptArm:
    """k embeddings after the images, initialised from embeddings of the questions' words."""

    components: tuple[str, ...] = ()

    def __init__(self, adapter: LanguageAdapter, k: int, words: Sequence[int]) -> None:
        self.words, self.k = sorted(set(words)), k
        self.table = adapter.model.get_input_embeddings()
        self.prompt = soft_prompt.attach(adapter, self._draw("first"))
        self.prompt.requires_grad_(True)
        self.parameters = {soft_prompt.KEY: self.prompt}

    def _draw(self, *seed: str | int) -> Tensor:
        ids = randomness.generator("soft prompt", *seed).choice(self.words, self.k)
        with torch.no_grad():
            where = next(self.table.parameters()).device
            found: Tensor = self.table(torch.tensor([ids.tolist()], device=where))[0].float()
        return found

    def start(self, *seed: str | int) -> None:
        """Set the embeddings to those of words drawn with a seed."""
        self.prompt.data.copy_(self._draw(*seed))

    def state(self) -> tuple[Any, dict[str, Tensor]]:
        """Return the configuration and the tensors of PEFT's layout."""
        width = self.prompt.shape[1]
        config = PromptTuningConfig(num_virtual_tokens=self.k, token_dim=width)
        return config, {soft_prompt.KEY: self.prompt}


class LoraArm:
    """Low-rank updates of a component's linear layers, initially zero."""

    def __init__(self, adapter: LanguageAdapter, arm: str, rank: int) -> None:
        self.components = LORA[arm]
        layers = linear_layers(adapter)[arm]
        pattern = "|".join(map(re.escape, layers))  # a list would be saved in arbitrary order
        config = LoraConfig(r=rank, lora_alpha=rank, target_modules=f"(?:{pattern})")
        self.model = get_peft_model(adapter.model, config)
        self.parameters = {n: p for n, p in self.model.named_parameters() if p.requires_grad}

    def start(self, *seed: str | int) -> None:
        """Set one matrix of each pair to random values and the other to zero, as PEFT does."""
        for name, parameter in self.parameters.items():
            values = torch.zeros(parameter.shape)
            if "lora_A" in name:
                drawn = torch.Generator().manual_seed(randomness.seed_for("lora", name, *seed))
                nn.init.kaiming_uniform_(values, a=math.sqrt(5), generator=drawn)
            parameter.data.copy_(values)

    def state(self) -> tuple[Any, dict[str, Tensor]]:
        """Return the configuration and the tensors of PEFT's layout."""
        tensors = get_peft_model_state_dict(self.model, save_embedding_layers=False)
        return self.model.peft_config["default"], tensors


def make_arm(adapter: LanguageAdapter, arm: str, rank: int, words: Sequence[int]) -> Arm:
    """Add an arm to a loaded model in place, and return it.

    Raise a UserError if the arm's component has no linear layers.

    Parameters
    ----------
    rank : rank of the adapters of the component with the most parameters per rank
    words : token ids from which embeddings are initialised
    """
    if k := prompt_tokens(arm):
        return PromptArm(adapter, k, words)
    units = {name: unit(adapter, layers) for name, layers in linear_layers(adapter).items()}
    if not units[arm]:
        raise UserError(
            f"tuning.arms: {arm}: family {adapter.spec.family} has no linear layer there; leave "
            "it out for this model"
        )
    return LoraArm(adapter, arm, matched_ranks({n: u for n, u in units.items() if u}, rank)[arm])


def linear_layers(adapter: LanguageAdapter) -> dict[str, list[str]]:
    """Return the module paths of the linear layers that each arm adapts.

    In the encoder and the language model, these are the layers of the blocks, except encoder blocks
    whose output is unused; in the connector, they are all layers. A linear layer inside another,
    such as InternLM-XComposer's image adapters, is part of that layer.
    """
    read = [a for a in adapter.addresses() if component(a) == "vision"]
    read = read[: 1 + max(map(read.index, adapter.reads()))]
    blocks = {p for a, p in adapter.addresses().items() if component(a) != "vision" or a in read}
    found: dict[str, list[str]] = {arm: [] for arm in LORA}
    outer = None
    for path, module in adapter.model.named_modules():  # submodules come after it
        if not isinstance(module, nn.Linear) or isinstance(module, NonDynamicallyQuantizableLinear):
            continue
        if outer is not None and path.startswith(f"{outer}."):
            continue
        outer = path
        part = adapter.component_of(path)
        arm = next((arm for arm, parts in LORA.items() if part in parts), None)
        inside = any(path.startswith(f"{block}.") for block in blocks)
        if arm and (inside or part == "connector"):
            found[arm].append(path)
    return found


def unit(adapter: LanguageAdapter, layers: Sequence[str]) -> int:
    """Return the number of parameters of rank-1 adapters on these layers."""
    found = [adapter.model.get_submodule(path) for path in layers]
    return sum(layer.in_features + layer.out_features for layer in found)


def matched_ranks(units: Mapping[str, int], rank: int) -> dict[str, int]:
    """Return ranks that give all components the same number of parameters, within 2%.

    The component with the most parameters per rank gets the given rank, or the nearest one that
    works.

    >>> matched_ranks({"vision": 6144, "connector": 512, "lm": 10240}, 3)
    {'vision': 5, 'connector': 60, 'lm': 3}
    """
    coarse = max(units.values())

    def sizes(ranks: Mapping[str, int]) -> list[int]:
        return [ranks[name] * own for name, own in units.items()]

    near = sorted(range(1, rank + FINE), key=lambda n: (abs(n - rank), n))
    tried = ({m: max(1, round(n * coarse / u)) for m, u in units.items()} for n in near)
    return next(found for found in tried if max(sizes(found)) <= TOLERANCE * min(sizes(found)))


def save(arm: Arm, base: str, folder: Path) -> None:
    """Write an arm in PEFT's layout without pickle; equal parameters give equal bytes."""
    config, tensors = arm.state()
    config.base_model_name_or_path, config.inference_mode = base, True
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic(folder / WEIGHTS) as partial:
        save_file(kept, partial)
    write_json(folder / CONFIG, config.to_dict())


def save_memory(model: Any) -> None:
    """Let blocks recompute activations in the backward pass instead of storing them.

    Blocks do so only in training mode; their submodules stay in inference mode, without dropout.
    """
    how = {"use_reentrant": False}
    try:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=how)
    except AttributeError:  # older transformers, for models with their own code
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)
    for module in model.modules():
        if getattr(module, "gradient_checkpointing", False):
            module.training = True
