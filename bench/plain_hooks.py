"""Edits as a typical script makes them: PyTorch hooks on full passes, one item at a time.

Every pass starts with the pixels, like `model(**inputs)` in the tutorials of hook libraries. One
pass fetches the donor's states for all addresses. Inputs are prepared in advance.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

Hooks = list[tuple[nn.Module, Callable[..., Any], bool]]  # module, hook, whether it is a pre-hook
Asked = tuple[Tensor, Tensor, Tensor, list[int]]  # pixels, the donor's pixels, ids, choices


class PlainModel:
    """A LLaVA with the tokens and blocks that edits need."""

    def __init__(self, model: nn.Module, blocks: dict[str, nn.Module], image_token: int) -> None:
        self.model, self.blocks, self.image_token = model, blocks, image_token

    def read(self, pixels: Tensor, ids: Tensor, hooks: Hooks) -> Tensor:
        """Return the log-probabilities of the next token, shape (vocabulary,)."""
        with ExitStack() as stack:
            for module, hook, before in hooks:
                put = module.register_forward_pre_hook if before else module.register_forward_hook
                stack.callback(put(hook, with_kwargs=True).remove)
            found = self.model(input_ids=ids, pixel_values=pixels, use_cache=False)
        return found.logits[0, -1].float().log_softmax(-1)

    def states(self, pixels: Tensor, ids: Tensor, addresses: Sequence[str]) -> dict[str, Tensor]:
        """Return the outputs of blocks in one pass, shape (1, t, d) each."""
        kept: dict[str, Tensor] = {}

        def keep(name: str) -> Callable[..., None]:
            return lambda module, inputs, named, output: kept.update({name: first(output).clone()})

        self.read(pixels, ids, [(self.blocks[a], keep(a), False) for a in addresses])
        return kept


def first(output: Any) -> Tensor:
    """Return the states of a block's output."""
    return output[0] if isinstance(output, tuple) else output


def writes(change: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    """Return a hook that changes the states of a block's output."""

    def hook(module: nn.Module, inputs: object, named: object, output: Any) -> Any:
        changed = change(first(output).clone())
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    return hook


def patch(tokens: Callable[[Tensor], Tensor]) -> Callable[..., list[Tensor]]:
    """Return the edit that inserts a donor's states of some tokens, given image positions."""

    def edit(plain: PlainModel, asked: Asked, addresses: Sequence[str]) -> list[Tensor]:
        pixels, other, ids, _ = asked
        donor, at = plain.states(other, ids, addresses), tokens(ids[0] == plain.image_token)

        def taken(states: Tensor, address: str) -> Tensor:
            states[:, at] = donor[address][:, at]
            return states

        return [
            plain.read(pixels, ids, [(plain.blocks[a], writes(lambda s, a=a: taken(s, a)), False)])
            for a in addresses
        ]

    return edit


def knock_out(plain: PlainModel, asked: Asked, addresses: Sequence[str]) -> list[Tensor]:
    """Prevent the text after the image from attending to it in one block."""
    pixels, _, ids, _ = asked
    shown = ids[0] == plain.image_token
    end = int(shown.nonzero().max())
    mask = torch.zeros(1, 1, len(shown), len(shown))
    mask.masked_fill_(torch.ones_like(mask, dtype=torch.bool).triu(1), torch.finfo(mask.dtype).min)
    mask[:, :, end + 1 :, shown] = torch.finfo(mask.dtype).min

    def hook(module: nn.Module, inputs: object, named: dict[str, Any]) -> tuple[Any, Any]:
        return inputs, named | {"attention_mask": mask}

    return [plain.read(pixels, ids, [(plain.blocks[a], hook, True)]) for a in addresses]


def erase(change: Callable[[Tensor], Tensor]) -> Callable[..., list[Tensor]]:
    """Return the edit that maps every image token."""

    def edit(plain: PlainModel, asked: Asked, addresses: Sequence[str]) -> list[Tensor]:
        pixels, _, ids, _ = asked
        shown = ids[0] == plain.image_token

        def mapped(states: Tensor) -> Tensor:
            states[:, shown] = change(states[:, shown])
            return states

        return [
            plain.read(pixels, ids, [(plain.blocks[a], writes(mapped), False)]) for a in addresses
        ]

    return edit
