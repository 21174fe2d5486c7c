"""Stubs of packages that a checkpoint's own code imports but that are never called here.

transformers refuses to run such code unless all its imports are installed, including those for
audio, video or other attention kernels. A stub is importable while the code is loaded, and only if
the package itself is not installed.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

Modules = Mapping[str, Mapping[str, Any]]


@contextmanager
def stand_ins(modules: Modules) -> Iterator[None]:
    """Make stub modules importable within the block.

    ``modules``: contents by dotted name; a package comes before its modules: ``{"a": {}, "a.b":
    {"c": 1}}``.
    """
    absent = [name for name in modules if not _installed(name.split(".")[0])]
    for name in absent:
        made = ModuleType(name, "Stand-in for a package that is not installed.")
        made.__spec__ = ModuleSpec(name, None)
        made.__dict__.update(modules[name])
        sys.modules[name] = made
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, made)
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Change the working directory, so that code finds checkpoints it loads by name there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def importing_from(folder: Path) -> Iterator[None]:
    """Put a folder first on the import path."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_bias: Tensor | None = None,
    p: float = 0.0,
    scale: float | None = None,
) -> Tensor:
    """Compute attention like ``xformers.ops.memory_efficient_attention``: (b, t, heads, d)."""
    query, key, value = (x.transpose(1, 2) for x in (query, key, value))
    out = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=attn_bias, dropout_p=p, scale=scale
    )
    return out.transpose(1, 2).contiguous()


def _installed(name: str) -> bool:
    known = sys.modules.get(name)
    if known is not None:
        return known.__spec__ is None or known.__spec__.loader is not None
    return importlib.util.find_spec(name) is not None
