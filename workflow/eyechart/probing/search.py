"""Choose hyper-parameters by grouped k-fold on the training part, then refit on all of it.

All columns of one width, seeds, folds, grid points and controls share stacks. The grid's epoch
counts are points on one trajectory, not separate trainings. The controls are
refitted with the task's winning hyper-parameters (as Hewitt & Liang 2019 and VLM-Lens do).

Memory: a stack holds at most ``STACK_BYTES`` of tensors, or one run (column × seed) if that alone
is more, in addition to the float32 columns that were passed in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eyechart.probing.layout import (
    Data,
    Run,
    SeedPlan,
    StackedRows,
    folds_layout,
    stack_inputs,
    whole_layout,
)
from eyechart.probing.stacked import ProbeStack, initial_layers

STACK_BYTES = 64 << 20  # a stack of about the size of the cache also trains faster
_EVALUATED = 1024  # rows predicted at once


@dataclass(frozen=True)
class Recipe:
    """A kind of probe and the grid of its hyper-parameters."""

    hidden: int  # 0: linear
    learning_rates: Sequence[float]
    weight_decays: Sequence[float]
    epochs: Sequence[int]  # rising; every count is a grid point
    patience: int  # counts without a lower held-out loss that end the search
    batch_size: int
    standardise: bool


@dataclass(frozen=True)
class Choice:
    """The grid point with the lowest held-out loss, and loss and accuracy there.

    A probe that is fitted to convergence has neither learning rate nor epochs.
    """

    lr: float | None
    weight_decay: float
    epochs: int | None
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Fit:
    """A refitted probe: predicted classes (v, n_test) and training accuracies (v,)."""

    predictions: np.ndarray
    train_accuracy: np.ndarray


def cross_validate(
    columns: list[Tensor], plans: list[SeedPlan], classes: int, recipe: Recipe
) -> list[list[Choice]]:
    """Choose (lr, weight decay, epochs) per column and seed by grouped k-fold.

    Parameters
    ----------
    columns : list of Tensor, float32, shape (n, d), length c
        All of one width.
    plans : list of SeedPlan, length s
    classes : int
    recipe : Recipe

    Returns
    -------
    list of list of Choice
        Column by column, seed by seed.
    """
    layout = folds_layout(plans, recipe.batch_size)
    grid = [(lr, decay) for lr in recipe.learning_rates for decay in recipe.weight_decays]
    choices: dict[Run, Choice] = {}
    for runs in _chunks(_runs(columns, plans), layout, columns[0].shape[1], classes, recipe):
        data = stack_inputs(columns, runs, layout, recipe.standardise)
        seeds = [plans[s].seed for _, s in runs]
        stack = _stack(data, seeds, classes, recipe, [grid] * len(runs))
        loss, accuracy = _trajectory(stack, data, len(runs), recipe)
        for r, run in enumerate(runs):
            g, e = divmod(int(loss[r].argmin()), len(recipe.epochs))
            at = (r, g, e)
            choices[run] = Choice(*grid[g], recipe.epochs[e], float(loss[at]), float(accuracy[at]))
    return [[choices[c, s] for s in range(len(plans))] for c in range(len(columns))]


def refit(
    columns: list[Tensor],
    plans: list[SeedPlan],
    choices: list[list[Choice]],
    classes: int,
    recipe: Recipe,
) -> list[list[Fit]]:
    """Train task and controls on the whole training part with the chosen hyper-parameters.

    Parameters and order of the result are as for :func:`cross_validate`; test rows are those in
    no fold, in row order.
    """
    layout = whole_layout(plans, recipe.batch_size)
    variants = len(plans[0].labels)
    # runs that end together share a stack
    all_runs = sorted(_runs(columns, plans), key=lambda run: _epochs(choices[run[0]][run[1]]))
    fits: dict[Run, Fit] = {}
    for runs in _chunks(all_runs, layout, columns[0].shape[1], classes, recipe):
        data = stack_inputs(columns, runs, layout, recipe.standardise)
        chosen = [choices[c][s] for c, s in runs]
        settings = [[_rates(choice)] * variants for choice in chosen]
        seeds = [plans[s].seed for _, s in runs]
        stack = _stack(data, seeds, classes, recipe, settings)
        ends = [_epochs(choice) for choice in chosen]
        fits.update(zip(runs, _train_to(stack, data, ends), strict=True))
    return [[fits[c, s] for s in range(len(plans))] for c in range(len(columns))]


def _epochs(choice: Choice) -> int:
    assert choice.epochs is not None, "chosen by cross_validate"
    return choice.epochs


def _rates(choice: Choice) -> tuple[float, float]:
    assert choice.lr is not None, "chosen by cross_validate"
    return choice.lr, choice.weight_decay


def _runs(columns: list[Tensor], plans: list[SeedPlan]) -> list[Run]:
    return [(c, s) for c in range(len(columns)) for s in range(len(plans))]


def _stack(
    data: Data,
    seeds: list[int],
    classes: int,
    recipe: Recipe,
    settings: list[list[tuple[float, float]]],
) -> ProbeStack:
    """Return a fresh stack; the members and variants of a seed start from the same parameters.

    ``settings`` holds (lr, weight decay) per run and variant.
    """
    a, device = len(data.x), data.x.device
    members, variants = a // len(seeds), len(settings[0])
    width = data.x.shape[-1]
    start = {s: initial_layers(width, recipe.hidden, classes, s) for s in sorted(set(seeds))}

    def stacked(layer: int, part: int) -> Tensor:
        own = torch.from_numpy(np.stack([start[s][layer][part] for s in seeds])).to(device)
        return own.repeat_interleave(members, 0)[:, None].repeat(1, variants, 1, 1)

    layers = [(stacked(i, 0), stacked(i, 1)) for i in range(2 if recipe.hidden else 1)]
    rates = torch.tensor(settings, device=device).repeat_interleave(members, 0)  # (a, v, 2)
    return ProbeStack(layers, rates)


def _trajectory(
    stack: ProbeStack, data: Data, runs: int, recipe: Recipe
) -> tuple[np.ndarray, np.ndarray]:
    """Train until every run's patience ends; return held-out loss and accuracy, (r, v, epochs).

    A run continues while any of its variants may still improve; epochs not reached have loss inf.
    """
    variants = stack.rates.shape[1]
    loss = torch.full((runs, variants, len(recipe.epochs)), torch.inf, device=data.x.device)
    accuracy = torch.zeros_like(loss)
    alive = torch.arange(runs, device=data.x.device)
    for e, _ in enumerate(_train_through(stack, data, recipe.epochs)):
        log_p = torch.log_softmax(_logits(stack, data.held_x), 2)  # (a, v, k, m)
        y = data.held_y.expand(-1, variants, -1)
        weight = data.held_weight[:, None]
        total = data.held_weight.view(len(alive), -1).sum(1)[:, None]
        surprise = -log_p.gather(2, y[:, :, None])[:, :, 0] * weight  # (a, v, m)
        right = (log_p.argmax(2) == y) * weight
        for result, value in ((loss, surprise), (accuracy, right)):
            by_member = value.sum(-1).view(len(alive), -1, variants)
            result[alive, :, e] = by_member.sum(1) / total
        best = loss[alive, :, : e + 1].argmin(-1)  # (r, v)
        going = (e - best < recipe.patience).any(1)
        if not going.any():
            break
        if not going.all():
            members = going.repeat_interleave(len(data.x) // len(alive))
            stack.keep(members)
            data.keep(members)
            alive = alive[going]
    return loss.cpu().numpy(), accuracy.cpu().numpy()


def _train_to(stack: ProbeStack, data: Data, ends: list[int]) -> list[Fit]:
    """Train each run for its own number of epochs (``ends`` is rising) and return its fit."""
    fits: list[Fit] = []
    for end in _train_through(stack, data, sorted(set(ends))):
        ending = ends.count(end)
        predictions = _logits(stack, data.held_x).argmax(2)
        guesses = _logits(stack, data.x.flatten(1, 2)).argmax(2)
        weight = data.weight.flatten(1)[:, None]
        right = ((guesses == data.y.flatten(2)) * weight).sum(-1) / weight.sum(-1)  # (a, v)
        for own, accuracy in zip(predictions[:ending], right[:ending], strict=True):
            fits.append(Fit(own.cpu().numpy(), accuracy.double().cpu().numpy()))
        going = torch.arange(len(data.x), device=data.x.device) >= ending
        stack.keep(going)
        data.keep(going)
    return fits


def _train_through(stack: ProbeStack, data: Data, stops: Sequence[int]) -> Iterator[int]:
    """Train, and yield at each of the epoch counts."""
    done = 0
    for stop in stops:
        for _ in range(stop - done):
            stack.run_epoch(data.x, data.y, data.weight)
        done = stop
        yield stop


def _logits(stack: ProbeStack, x: Tensor) -> Tensor:
    return torch.cat([stack.logits(part) for part in x.split(_EVALUATED, 1)], 3)


def _chunks(
    runs: list[Run], layout: StackedRows, width: int, classes: int, recipe: Recipe
) -> list[list[Run]]:
    """Cut the runs into chunks whose tensors stay under ``STACK_BYTES``."""
    grid = len(recipe.learning_rates) * len(recipe.weight_decays)
    variants = max(grid, len(layout.labels[0])) if layout.members > 1 else len(layout.labels[0])
    _, steps, b = layout.batches.rows.shape
    held = layout.held.rows.shape[2]
    hidden = recipe.hidden
    parameters = hidden * (width + classes) if hidden else width * classes
    activations = (hidden + classes) * max(b, min(held, _EVALUATED))
    # parameters, their gradients and two moments; activations, their gradients and masks
    state = variants * (4 * parameters + 3 * activations)
    bytes_per_run = 4 * layout.members * ((steps * b + held) * width + state)
    size = max(1, STACK_BYTES // bytes_per_run)
    return [runs[i : i + size] for i in range(0, len(runs), size)]
