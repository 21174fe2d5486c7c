"""Options for loading a checkpoint: precision, device, attention, sharding, quantisation."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import torch
import transformers

from eyechart.core.device import device_of
from eyechart.core.errors import UserError, nearest
from eyechart.models.spec import Spec, read_spec


@dataclass(frozen=True)
class LoadOptions:
    """The config section ``loading``; null means the spec's value."""

    device: str = "auto"  # ``auto``, ``cpu``, ``cuda`` or ``mps``
    dtype: str | None = None  # ``float32``, ``bfloat16``, ``float16`` or None
    attention: str | None = None  # ``eager``, ``sdpa``, ``flash_attention_2`` or None
    spread: bool = False  # whether to spread the blocks over all GPUs; inputs go to the first
    bits: int | None = None  # 8, 4 or None; quantisation of linear layers' weights
    # whether code that comes with the checkpoint may run; the spec must also allow it
    remote_code: bool = False

    def precision(self, spec: Spec) -> torch.dtype:
        """Return the precision of the weights and the forward pass."""
        found: torch.dtype = getattr(torch, self.dtype or spec.dtype)
        return found

    def trusts(self, spec: Spec) -> bool:
        """Return whether code from the checkpoint runs.

        Raise a UserError if the model needs its own code and the config does not allow it.
        """
        if spec.trust_remote_code and not self.remote_code:
            raise UserError(
                f"{spec.checkpoint}: its code comes with the checkpoint, and the configuration "
                "does not allow it to run; read it, then name the model under remote_code"
            )
        return spec.trust_remote_code

    def arguments(self, spec: Spec) -> dict[str, Any]:
        """Return the arguments of ``from_pretrained``, as the installed version names them."""
        named = "dtype" if _version() >= (4, 56) else "torch_dtype"
        found: dict[str, Any] = {named: self.precision(spec)}
        attention = self.attention or spec.attention
        if attention:
            found["attn_implementation"] = attention
        if self.bits:
            found["quantization_config"] = _few_bits(self.bits, self.precision(spec))
        if self.spread:
            found["device_map"] = "auto"
        elif self.bits:
            found["device_map"] = {"": device_of(self.device)}
        return found

    @property
    def places(self) -> bool:
        """Whether ``from_pretrained`` places the weights on their devices."""
        return self.spread or self.bits is not None


@dataclass(frozen=True)
class LoadFlags:
    """The flags of every step that loads a model."""

    spec: Path
    checkpoint: Path
    loading: Annotated[str, {"help": "the config's section as JSON"}] = "{}"
    allow_remote_code: bool = False

    def options(self) -> LoadOptions:
        """Return the options; raise a UserError for an unknown field."""
        value = json.loads(self.loading)
        known = [f.name for f in fields(LoadOptions) if f.name != "remote_code"]
        for name in value:
            if name not in known:
                raise UserError(f"--loading: unknown field {name!r}; {nearest(name, known)}")
        return LoadOptions(**value, remote_code=self.allow_remote_code)

    def what(self) -> tuple[Spec, Path, LoadOptions]:
        """Return the arguments of ``load``: the spec, the folder and the options."""
        return read_spec(self.spec), self.checkpoint, self.options()


def _few_bits(bits: int, precision: torch.dtype) -> Any:
    if find_spec("bitsandbytes") is None:
        raise UserError(
            "loading.bits needs bitsandbytes, which is not installed here; install it, or write "
            "env: torchvision in the model's spec"
        )
    if bits == 8:
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    return transformers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=precision)


def _version() -> tuple[int, ...]:
    return tuple(int(part) for part in transformers.__version__.split(".")[:2])
