"""Soft prompts: k trained embeddings between the images and the text of a prompt.

A checkpoint has one if it contains ``soft_prompt.safetensors``. Its tokens have the ids after the
vocabulary, for which the input embedding returns the trained vectors. So ids, positions, caches and
packing work as for words, and neither the vocabulary nor the head changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from eyechart.core.errors import UserError
from eyechart.core.files import atomic
from eyechart.models.families.base import Adapter
from eyechart.models.families.image_tokens import PreparedImage
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.families.prompts import Row
from eyechart.models.weight_files import check_header

NAME = "soft_prompt.safetensors"
KEY = "prompt_embeddings"  # as in PEFT


def attach(adapter: Adapter, vectors: Tensor) -> nn.Parameter:
    """Insert k embeddings (k, d) into all later prompts; return them as a parameter.

    Raise a UserError if there is no language model, or if it already has a soft prompt or has
    a different width.
    """
    if not isinstance(adapter, LanguageAdapter):
        raise UserError(f"family {adapter.spec.family} has no language model to prompt")
    if adapter.soft_prompt is not None:
        raise UserError(f"{adapter.spec.checkpoint} already has a soft prompt")
    table = adapter.model.get_input_embeddings()
    if vectors.shape[1] != (width := table(torch.tensor([[0]], device=adapter.device)).shape[-1]):
        raise UserError(f"a soft prompt is {vectors.shape[1]} wide, expected {width}")
    learned = nn.Parameter(vectors.detach().clone().to(adapter.device, torch.float32), False)
    words_known = sum(len(part) for part in table.parameters())
    first = 1 + max(words_known - 1, *adapter.image_marker_ids())
    plain, written = table.forward, adapter.row

    def forward(ids: Tensor, *more: Any, **named: Any) -> Tensor:
        own = ids >= first
        words: Tensor = plain(ids.masked_fill(own, 0), *more, **named)
        vectors = learned[(ids - first).clamp(min=0)].to(words)
        return torch.where(own[..., None], vectors, words)

    def row(prompt: str, images: Sequence[PreparedImage]) -> Row:
        found = written(prompt, images)
        starts = found.ids[:1] == [adapter.tokenizer.bos_token_id]
        at = adapter.prefix(found.ids) or int(starts)
        adapter.check_length(prompt, len(found.ids) + len(learned))
        return adapter.longer(found, at, list(range(first, first + len(learned))))

    table.forward = forward
    adapter.row = row  # type: ignore[method-assign]
    adapter.soft_prompt = learned
    return learned


def restore(adapter: Adapter, checkpoint: Path) -> None:
    """Attach a checkpoint's soft prompt, if it has one."""
    if (Path(checkpoint) / NAME).is_file():
        attach(adapter, read(Path(checkpoint) / NAME))


def read(path: Path) -> Tensor:
    """Return the vectors (k, d) of a file; raise a UserError if it holds anything else."""
    check_header(path)
    tensors = load_file(path)
    found = tensors.get(KEY)
    if found is None or len(tensors) > 1 or found.ndim != 2 or not found.isfinite().all():
        raise UserError(f"{path}: expected {KEY} alone, a table of finite numbers")
    return found


def save(prompt: Tensor, path: Path) -> None:
    """Write a soft prompt."""
    with atomic(path) as partial:
        save_file({KEY: prompt.detach().cpu().contiguous()}, partial)
