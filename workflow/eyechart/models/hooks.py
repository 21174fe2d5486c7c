"""Hooks on a model's modules that read or replace their outputs.

Every hook is attached by a context manager and removed when it exits, even after an exception.
Context managers nest. Outputs are read after they are edited. If one module has two edits, the
inner one runs first. Edits run before the hooks with which transformers records hidden states,
since many connectors take their input from such a record and would otherwise miss an edit.
``models.knockout`` blocks attention.

    with edit_outputs(adapter.model, {path: at([3, 4], torch.zeros_like)}):
        scores = adapter.logits(rows, seen, begun)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from eyechart.core.errors import UserError, nearest

Change = Callable[[Tensor], Tensor]  # from hidden states to hidden states of the same shape
Where = Tensor | Sequence[int] | Callable[[Tensor], Tensor]


class _AllSeenError(Exception):
    """Raised inside a forward pass once every module to be read has run."""


def pass_mode(gradients: bool = False) -> AbstractContextManager[Any]:
    """Return the mode of a forward pass: inference, or one that keeps gradients of activations.

    Parameters stay frozen in both. Tensors made in inference mode cannot be used in a pass that
    keeps gradients, so encode the images in the same mode.
    """
    return torch.enable_grad() if gradients else torch.inference_mode()


@contextmanager
def attached(
    model: nn.Module, hooks: Mapping[str, Callable[..., Any]], first: bool = False
) -> Iterator[None]:
    """Attach a forward hook to each module path in the block, before or after all other hooks."""
    with ExitStack() as stack:
        for path, hook in hooks.items():
            stack.callback(module_at(model, path).register_forward_hook(hook, prepend=first).remove)
        yield


@contextmanager
def read_outputs(
    model: nn.Module,
    paths: Iterable[str],
    see: Callable[[str, Any], None],
    stop: bool,
    runs: int = 1,
) -> Iterator[None]:
    """Call ``see(path, output)`` after the first run of each module within the block.

    >>> with read_outputs(model, ["layers.3"], found.__setitem__, stop=True):
    ...     model(pixels)

    Raise a UserError if a module has not run by the end of the block, or returns no tensor.

    Parameters
    ----------
    paths : module paths below ``model``
    stop : whether the pass ends as soon as every module has run, so that later modules never run
    runs : number of times each module runs; if above one, ``see`` gets the list of all outputs
        after the last run
    """
    waiting: dict[str, list[Tensor]] = {path: [] for path in paths}
    if not waiting:
        yield
        return

    def hook(path: str) -> Callable[..., None]:
        def fired(module: nn.Module, inputs: Any, output: Any) -> None:
            if path in waiting:  # some modules run again in one pass; only the first runs count
                outputs = [*waiting[path], tensor_of(path, output)]
                waiting[path] = outputs
                if len(outputs) == runs:
                    see(path, outputs[0] if runs == 1 else outputs)
                    del waiting[path]
                if stop and not waiting:
                    raise _AllSeenError

        return fired

    with attached(model, {path: hook(path) for path in waiting}), suppress(_AllSeenError):
        yield
    check_ran(waiting)


@contextmanager
def first_output(model: nn.Module, path: str) -> Iterator[list[Any]]:
    """Yield a list that gets the raw output of a module's first run, where the pass ends."""
    found: list[Any] = []

    def fired(module: nn.Module, inputs: Any, output: Any) -> None:
        found.append(output)
        raise _AllSeenError

    with attached(model, {path: fired}), suppress(_AllSeenError):
        yield found
    check_ran({} if found else {path: None})


@contextmanager
def skipped(model: nn.Module, paths: Sequence[str], output: Any) -> Iterator[None]:
    """Skip modules that run in sequence; each returns the known output of the last one."""
    modules = [module_at(model, path) for path in paths]
    own = [module.__dict__.get("forward") for module in modules]  # set if spread over GPUs
    try:
        for module in modules:
            module.forward = lambda *_, **__: output
        yield
    finally:
        for module, forward in zip(modules, own, strict=True):
            del module.forward
            if forward is not None:
                module.forward = forward


@contextmanager
def edit_outputs(model: nn.Module, edits: Mapping[str, Change]) -> Iterator[None]:
    """Replace each module's output with the edited output, at every run within the block.

    Raise a UserError if an edit returns another shape, or a module has not run by the end of the
    block.

    ``edits``: by module path, a function of the hidden states, which have the module's own layout,
    as ``tensor_of`` returns them; the rest of the output is kept.
    """
    waiting = dict.fromkeys(edits)

    def hook(path: str) -> Callable[..., Any]:
        def fired(module: nn.Module, inputs: Any, output: Any) -> Any:
            waiting.pop(path, None)
            hidden = tensor_of(path, output)
            new = edits[path](hidden)
            if new.shape != hidden.shape:
                raise UserError(
                    f"the edit of module {path!r} returned shape {tuple(new.shape)}, expected "
                    f"{tuple(hidden.shape)}"
                )
            return replace_tensor(output, new.to(hidden))

        return fired

    with attached(model, {path: hook(path) for path in edits}, first=True):
        yield
    check_ran(waiting)


def at(where: Where, change: Change) -> Change:
    """Return an edit that applies ``change`` to some tokens and leaves the others.

    ``where``: bool mask, of the output's shape without its width; or token indices, with negative
    ones counted from the end; or a function from the hidden states to a mask.
    """

    def changed(hidden: Tensor) -> Tensor:
        mask = where(hidden) if callable(where) else _mask(where, hidden)
        return torch.where(mask[..., None].to(hidden.device), change(hidden).to(hidden), hidden)

    return changed


def tensor_of(path: str, output: Any) -> Tensor:
    """Return the hidden states in a module's output.

    The output is a tensor, a tuple that begins with the hidden states, an output object with a last
    hidden state, or a list of tensors (n, d), which are concatenated.
    """
    first = output[0] if isinstance(output, tuple) and output else output
    first = getattr(first, "last_hidden_state", first)
    if isinstance(first, list) and first and all(isinstance(f, torch.Tensor) for f in first):
        first = torch.cat(first)
    if not isinstance(first, torch.Tensor):
        raise UserError(f"module {path!r} returns a {type(output).__name__}, expected a tensor")
    return first


def replace_tensor(output: Any, hidden: Tensor) -> Any:
    """Return a module's output, with the hidden states found by ``tensor_of`` replaced."""
    if isinstance(output, tuple):
        return (replace_tensor(output[0], hidden), *output[1:])
    if hasattr(output, "last_hidden_state"):
        changed = copy.copy(output)
        changed.last_hidden_state = replace_tensor(output.last_hidden_state, hidden)
        return changed
    if isinstance(output, list):
        return list(hidden.split([len(part) for part in output]))
    return hidden


def _mask(where: Tensor | Sequence[int], hidden: Tensor) -> Tensor:
    """Return a mask that broadcasts to the shape of the hidden states without their width."""
    if isinstance(where, torch.Tensor) and where.dtype == torch.bool:
        try:
            return where.expand(hidden.shape[:-1])
        except RuntimeError:
            raise UserError(
                f"a mask of shape {tuple(where.shape)} does not fit an output of shape "
                f"{tuple(hidden.shape)}"
            ) from None
    tokens = hidden.shape[-2]
    found = torch.zeros(tokens, dtype=torch.bool)
    for index in where:
        if not -tokens <= int(index) < tokens:
            raise UserError(f"token {int(index)} is beyond an output of {tokens} tokens")
        found[int(index)] = True
    return found.expand(hidden.shape[:-1])


def module_at(model: nn.Module, path: str) -> nn.Module:
    """Return the module at a path; raise a UserError if there is none."""
    try:
        return model.get_submodule(path)
    except AttributeError:
        names = [name for name, _ in model.named_modules() if name]
        raise UserError(f"there is no module {path!r}; {nearest(path, names)}") from None


def check_ran(waiting: Mapping[str, Any]) -> None:
    """Raise a UserError for the first module path that has not run."""
    if waiting:
        raise UserError(f"module {next(iter(waiting))!r} did not run in the forward pass")
