"""The states at an address, as one matrix that can be replaced.

At the connector, these are the language model's inputs for the images, one row per image token.
Elsewhere, and if no token of the prompt represents the image, a hook replaces a module's output.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eyechart.core.address import CONNECTOR, component
from eyechart.core.errors import UserError
from eyechart.models.hooks import attached, pass_mode, replace_tensor, tensor_of
from eyechart.saliency.subjects import PromptBatch, Subject


class States(ABC):
    """The states at an address in one batch.

    Attributes
    ----------
    x : all states, detached, (n, d)
    index : by item, the rows of ``x`` that are its image tokens, int64 (t,)
    places : by item and image, the boxes of those tokens, float32 (t, 7)
    """

    x: Tensor
    index: list[Tensor]
    places: list[list[np.ndarray]]

    def __init__(self, subject: Subject, address: str) -> None:
        self.subject, self.address = subject, address

    @abstractmethod
    def run(self, x: Tensor) -> Tensor:
        """Return the score (b,) of each question's choice, given states (n, d)."""

    def gradient(self, x: Tensor) -> Tensor:
        """Return the gradient of the scores with respect to the states, (n, d)."""
        with pass_mode(gradients=True):
            leaf = x.detach().clone().requires_grad_()
            (found,) = torch.autograd.grad(self.run(leaf).sum(), [leaf], allow_unused=True)
        if found is None:
            raise UserError(f"{self.address}: the answer does not depend on these states")
        return found

    def _locate(self, key: str, counts: Sequence[int]) -> None:
        """Set the boxes; raise a UserError if an image has unequal numbers of boxes and tokens."""
        adapter, left, found = self.subject.adapter, list(counts), []
        for one in self.subject.questions:
            sizes = [picture.size for picture in one.pictures]
            own = [adapter.token_boxes(size, key, len(sizes)) for size in sizes]
            for boxes in own:
                if len(boxes) != (count := left.pop(0)):
                    raise UserError(
                        f"{self.address}: item {one.item['item_id']!r} has {count} image tokens, "
                        f"but {len(boxes)} positions are known"
                    )
            found.append(own)
        self.places = found


class ConnectorStates(States):
    """The image tokens that the language model reads, one per row."""

    def __init__(self, subject: Subject, address: str = CONNECTOR) -> None:
        super().__init__(subject, address)
        with torch.no_grad():
            self.encoded = [own for some in subject.chunks() for own in subject.encode(some)]
        if any(one.features is None for one in self.encoded):
            raise UserError(f"{address}: images are encoded together with each prompt")
        parts = [one.features.detach() for one in self.encoded]
        self.x, self.counts = torch.cat(parts), [len(part) for part in parts]
        rows = torch.arange(len(self.x), device=self.x.device).split(self.counts)
        self.index = [torch.cat(list(own)) for own in subject.per_item(rows)]
        self._locate("lm", self.counts)

    def run(self, x: Tensor) -> Tensor:
        """Return the score of each question's choice, given the features."""
        parts = zip(self.encoded, x.split(self.counts), strict=True)
        return self.subject.score([replace(own, features=part) for own, part in parts])


class ModuleStates(States):
    """The output of a module of the encoder or connector, in the module's own layout."""

    def __init__(self, subject: Subject, address: str) -> None:
        super().__init__(subject, address)
        adapter = subject.adapter
        self.path = adapter.module_path(address)
        self.kind = component(address)
        self.outputs: list[Tensor] = []
        with torch.no_grad(), attached(adapter.model, {self.path: self._see}, first=True):
            ends = [len(self.outputs) for _ in self._encoded()]
            chunks = subject.chunks()
            if not self.outputs:  # the module runs with each prompt
                subject.score(self.encoded)
                ends, chunks = [len(self.outputs)], [subject.images]
        if not ends[-1]:
            raise UserError(f"{address}: its module does not run")
        self.outputs = self.outputs[: ends[-1]]
        self.x = torch.cat([out.reshape(-1, out.shape[-1]) for out in self.outputs])
        rows = self._rows(chunks, ends)
        self.index = [torch.cat(list(own)) for own in subject.per_item(rows)]
        self._locate(adapter.box_key(self.kind, self.path), [len(own) for own in rows])

    def run(self, x: Tensor) -> Tensor:
        """Return the score of each question's choice, given the module's outputs."""
        parts = x.split([out.shape[:-1].numel() for out in self.outputs])
        shaped = [p.reshape(out.shape) for p, out in zip(parts, self.outputs, strict=True)]
        with self._replaced(shaped):
            for _ in self._encoded():
                pass
            return self.subject.score(self.encoded)

    def _encoded(self) -> Iterator[None]:
        """Encode the images pass by pass; yield after each pass."""
        self.encoded: list[Any] = []
        for some in self.subject.chunks():
            self.encoded += self.subject.encode(some)
            yield

    def _see(self, module: Any, inputs: Any, output: Any) -> None:
        self.outputs.append(tensor_of(self.path, output).detach())

    @contextmanager
    def _replaced(self, shaped: Sequence[Tensor]) -> Iterator[None]:
        runs = 0

        def hook(module: Any, inputs: Any, output: Any) -> Any:
            nonlocal runs
            new = shaped[runs % len(shaped)]  # some modules run again with the prompts
            runs += 1
            return replace_tensor(output, new)

        with attached(self.subject.adapter.model, {self.path: hook}, first=True):
            yield

    def _rows(self, chunks: Sequence[Any], ends: Sequence[int]) -> list[Tensor]:
        """Return the rows of ``x`` with each image's tokens."""
        found, start, first = [], 0, 0
        adapter = self.subject.adapter
        for images, end in zip(chunks, ends, strict=True):
            numbers = []
            for out in self.outputs[first:end]:
                count = out.shape[:-1].numel()
                own = torch.arange(start, start + count, dtype=torch.float64, device=out.device)
                numbers.append(own.reshape(*out.shape[:-1], 1))
                start += count
            hidden = numbers if adapter.runs(images) > 1 else numbers[0]
            laid, masks = adapter.layout(self.kind, hidden, images)
            mask = masks.get("image_tokens")
            if mask is None:
                raise UserError(f"{self.address}: it has no image tokens")
            found += [row[own][:, 0].long() for row, own in zip(laid, mask, strict=True)]
            first = end
        return found


def states_at(subject: Subject, address: str) -> States:
    """Return the states at an address; raise a UserError if the model has none there."""
    if address != CONNECTOR or not isinstance(subject, PromptBatch):
        return ModuleStates(subject, address)
    try:
        found = ConnectorStates(subject)
        if len(found.x) and _reads(found):
            return found
    except UserError:  # no token of the prompt represents the image
        pass
    return ModuleStates(subject, address)


def _reads(features: ConnectorStates) -> bool:
    """Return whether the language model reads each feature at a token of the prompt."""
    subject = features.subject
    tokens = subject.adapter.tokens(subject.rows, features.encoded)  # type: ignore[attr-defined]
    return int(tokens.image.sum()) == len(features.x)
