"""How a checkpoint is brought into memory: precision, device, attention, spreading, few bits."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from typing import Any

import torch
import transformers

from eyechart.core.device import device_of
from eyechart.core.errors import UserError, nearest
from eyechart.models.spec import Spec


@dataclass(frozen=True)
class Loading:
    """The section ``loading`` of the config, in which null stands for what the spec says.

    Attributes
    ----------
    device : ``auto``, ``cpu``, ``cuda`` or ``mps``
    dtype : ``float32``, ``bfloat16``, ``float16`` or None
    attention : ``eager``, ``sdpa``, ``flash_attention_2`` or None
    spread : bool
        Whether the blocks are laid over all GPUs; the device is then that of the first.
    bits : 8, 4 or None
        Weights of linear layers in so few bits.
    remote_code : bool
        Whether code that comes with the checkpoint may run; the spec must allow it too.
    """

    device: str = "auto"
    dtype: str | None = None
    attention: str | None = None
    spread: bool = False
    bits: int | None = None
    remote_code: bool = False

    def on(self, device: str) -> Loading:
        """Give the same on another device."""
        return replace(self, device=device)

    def precision(self, spec: Spec) -> torch.dtype:
        """Give the precision of weights and forward pass."""
        found: torch.dtype = getattr(torch, self.dtype or spec.dtype)
        return found

    def trusts(self, spec: Spec) -> bool:
        """Say whether code from the checkpoint runs.

        Raises
        ------
        UserError
            If the model cannot be loaded without, and the config does not allow it.
        """
        if spec.trust_remote_code and not self.remote_code:
            raise UserError(
                f"{spec.checkpoint}: its code comes with the checkpoint, and the configuration "
                "does not allow it to run; read it, then name the model under remote_code"
            )
        return spec.trust_remote_code

    def arguments(self, spec: Spec) -> dict[str, Any]:
        """Give the keyword arguments of ``from_pretrained``, under their names in any version."""
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
        """Whether ``from_pretrained`` puts the weights where they belong."""
        return self.spread or self.bits is not None


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of every step that loads a model."""
    parser.add_argument("--loading", default="{}", help="the config's section as JSON")
    parser.add_argument("--allow-remote-code", action="store_true")


def read_flags(args: argparse.Namespace) -> Loading:
    """Read these flags; a UserError names a field that is unknown."""
    value = json.loads(args.loading)
    known = [f.name for f in fields(Loading) if f.name != "remote_code"]
    for name in value:
        if name not in known:
            raise UserError(f"--loading: unknown field {name!r}; {nearest(name, known)}")
    return Loading(**value, remote_code=args.allow_remote_code)


def _few_bits(bits: int, precision: torch.dtype) -> Any:
    if find_spec("bitsandbytes") is None:
        raise UserError(
            "loading.bits needs bitsandbytes, and this environment has none; write env: "
            "torchvision in the model's spec, or install it here"
        )
    if bits == 8:
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    return transformers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=precision)


def _version() -> tuple[int, ...]:
    return tuple(int(part) for part in transformers.__version__.split(".")[:2])
