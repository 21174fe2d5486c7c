"""Hooks on modules that are always removed, and that can end a forward pass early."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from eyechart.errors import UserError


class _AllSeenError(Exception):
    """Raised inside a forward pass once every tapped module has run."""


@contextmanager
def taps(
    model: nn.Module,
    paths: Iterable[str],
    see: Callable[[str, Any], None],
    stop: bool,
    runs: int = 1,
) -> Iterator[None]:
    """Call ``see(path, output)`` at the first run of each module within the block.

    >>> with taps(model, ["layers.3"], lambda path, output: found.update({path: output}), True):
    ...     model(pixels)

    Parameters
    ----------
    paths : iterable of str
        Module paths below ``model``.
    stop : bool
        Whether the pass ends as soon as every module has run: later modules never do.
    runs : int
        How often each module runs; where more than once, ``see`` gets a list of outputs, after the
        last of them.

    Raises
    ------
    UserError
        If a module has not run by the end of the block, or gives no tensor.
    """
    waiting: dict[str, list[Tensor]] = {path: [] for path in paths}
    if not waiting:
        yield
        return

    def hook(path: str) -> Callable[..., None]:
        def fired(module: nn.Module, inputs: Any, output: Any) -> None:
            if path in waiting:  # some modules run again in one pass: the first runs count
                outputs = [*waiting[path], tensor_of(path, output)]
                waiting[path] = outputs
                if len(outputs) == runs:
                    see(path, outputs[0] if runs == 1 else outputs)
                    del waiting[path]
                if stop and not waiting:
                    raise _AllSeenError

        return fired

    handles = [model.get_submodule(path).register_forward_hook(hook(path)) for path in waiting]
    try:
        yield
    except _AllSeenError:
        pass
    finally:
        for handle in handles:
            handle.remove()
    if waiting:
        raise UserError(f"module {next(iter(waiting))!r} did not run in the forward pass")


def tensor_of(path: str, output: Any) -> Tensor:
    """Give the hidden states in a module's output.

    That is a tensor; the first entry of a tuple; the last hidden state of an output object; or a
    list of tensors (n, d), one behind the other.
    """
    first = output[0] if isinstance(output, tuple) and output else output
    first = getattr(first, "last_hidden_state", first)
    if isinstance(first, list) and first and all(isinstance(f, torch.Tensor) for f in first):
        first = torch.cat(first)
    if not isinstance(first, torch.Tensor):
        raise UserError(f"module {path!r} gives a {type(output).__name__}, expected a tensor")
    return first
