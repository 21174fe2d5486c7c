"""Choose the penalty by grouped k-fold cross-validation, then refit on all training groups.

All columns of one width, folds, seeds and controls share stacks; wide linear probes share inputs
too (``linear``). Penalties are tried from the largest down. A linear probe is trained to its
optimum with each penalty, and the one with the highest held-out accuracy is chosen, because on hard
tasks the held-out loss is lowest for a probe that hardly learns. A probe with a hidden layer is
trained until the held-out loss reaches a plateau, with smaller and smaller penalties until that
loss has risen. The controls are refitted with the task's penalty (as in Hewitt & Liang 2019).

Memory: a stack holds at most ``STACK_BYTES`` of tensors, or one column if that is more, in addition
to the float32 columns passed in.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eyechart.probing.linear import LinearStack, Shared, known, share_inputs
from eyechart.probing.stacked import MEMORY, ProbeStack, forward, initial_layers, shapes_of, split
from eyechart.probing.training_plan import Data, Plan, stack_inputs

STACK_BYTES = 64 << 20  # stacks of about the CPU cache's size also train faster
# Penalties, as shares of the inputs' total variance, which equals their width, so that at every
# width they range from far too large to far too small
LINEAR_SHARES = tuple(0.03 * 10**-e for e in range(6))
HIDDEN_SHARES = tuple(0.001 * 10 ** (-e / 2) for e in range(7))
STEPS = 1000  # maximum number of L-BFGS steps
EVERY = 4  # steps between evaluations of the held-out loss
GAIN = 0.005  # nats; if the held-out loss falls by less, it is on the plateau
# From this width and number of training rows per feature, linear probes are faster on shared inputs
# than along principal axes (bench/probing.md)
SHARED_WIDTH, SHARED_ROWS = 384, 1.25
_EVALUATED = 4096  # rows predicted at once


@dataclass(frozen=True)
class Choice:
    """The chosen penalty, its number of steps, and the held-out loss and accuracy.

    ``epochs`` is None for a linear probe, which is trained to its optimum.
    """

    penalty: float
    epochs: int | None
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Fit:
    """Refitted probes: predicted classes (s, v, n_test) and training accuracies (s, v)."""

    predictions: np.ndarray
    train_accuracy: np.ndarray


def cross_validate(columns: list[Tensor], plan: Plan, classes: int, hidden: int) -> list[Choice]:
    """Choose the penalty of each column by grouped k-fold, for all seeds and controls.

    Parameters
    ----------
    columns : list of Tensor, float32, shape (n, d), length c; all of the same width
    hidden : width of the hidden layer; 0 for a linear probe
    """
    parts, choices = plan.parts(), []
    width, path = columns[0].shape[1], _hidden_path if hidden else _linear_path
    shared = _shared(plan, width, hidden)
    members, variants = (1, len(parts)) if shared else (len(parts), 1)
    variants *= len(plan.tasks)
    for own in _chunks(columns, members, variants, plan, classes, hidden):
        learnt, held = (
            _folds(own, plan) if shared else stack_inputs(own, parts, plan.tasks, plan.weights)
        )
        layers = _start(plan.seeds[:1] * variants, width, hidden, classes, learnt.x)
        choices += path(learnt, held, layers, len(own), width)
    return choices


def _shared(plan: Plan, width: int, hidden: int) -> bool:
    """Return whether folds and labels share inputs, which is faster for wide linear probes."""
    return not hidden and width >= SHARED_WIDTH and len(plan.train) >= SHARED_ROWS * width


def _folds(columns: list[Tensor], plan: Plan) -> tuple[Shared, Data]:
    """Return the training data and the held-out data of all folds, on shared inputs."""
    learnt, held = (list(rows) for rows in zip(*plan.parts(), strict=True))
    data, _ = share_inputs(columns, plan.train, learnt, plan.tasks, plan.weights)
    y, weight = known(data.x, plan.train, held, plan.tasks, plan.weights)
    return data, Data(data.x, data.variance, y, weight)


def _linear_path(
    learnt: Data, held: Data, layers: list[tuple[Tensor, Tensor]], columns: int, width: int
) -> list[Choice]:
    """Return the point with the highest held-out accuracy on each column's penalty path.

    The members of the stack are a = columns × folds, or columns if folds share inputs.
    """
    theta, best = ProbeStack.flat(layers), [Choice(0.0, None, np.inf, -1.0)] * columns
    for penalty in (share * width for share in LINEAR_SHARES):
        theta = _stack(layers, theta, penalty, learnt).solve(STEPS)
        measured = _measured(_logits(shapes_of(layers), theta, held.x), held, columns)
        found = [Choice(penalty, None, *values) for values in zip(*measured, strict=True)]
        best = [max(pair, key=_by_accuracy) for pair in zip(best, found, strict=True)]
    return best


def _by_accuracy(choice: Choice) -> tuple[float, float]:
    return round(choice.accuracy, 6), -choice.loss  # the last digits of float32 sums vary


def _hidden_path(
    learnt: Data, held: Data, layers: list[tuple[Tensor, Tensor]], columns: int, width: int
) -> list[Choice]:
    """Follow each column's penalty path until its loss rises; return the point of lowest loss."""
    members, theta = len(learnt.x) // columns, ProbeStack.flat(layers)
    best = [Choice(0.0, None, np.inf, 0.0)] * columns
    alive = np.arange(columns)
    for penalty in (share * width for share in HIDDEN_SHARES):
        stack = ProbeStack(layers, theta, penalty, learnt)
        found = _to_plateau(stack, held, len(alive), penalty)
        falls = np.array([best[c].loss - own.loss for c, own in zip(alive, found, strict=True)])
        for c, own, fall in zip(alive, found, falls, strict=True):
            best[c] = own if fall > 0 else best[c]
        going = falls > GAIN
        alive = alive[going]
        if not len(alive):
            break
        if not going.all():
            chosen = torch.from_numpy(going).repeat_interleave(members).to(theta.device)
            learnt, held, theta = learnt.keep(chosen), held.keep(chosen), theta[chosen]
    return best


def _to_plateau(stack: ProbeStack, held: Data, columns: int, penalty: float) -> list[Choice]:
    """Train until no column's held-out loss falls; return each column's lowest, with its step."""
    members = len(held.x) // columns
    best: list[Choice] = [Choice(penalty, 0, np.inf, 0.0)] * columns
    alive = np.arange(columns)
    for step in range(EVERY, STEPS, EVERY):
        for _ in range(EVERY):
            stack.iterate()
        logits = _logits(stack.shapes, stack.parameters(), held.x)
        loss, accuracy = _measured(logits, held, len(alive))
        settled = stack.settled().view(len(alive), -1).all(1).cpu().numpy()
        going = []
        for i, c in enumerate(alive):
            if loss[i] < best[c].loss - GAIN:
                best[c] = Choice(penalty, step, loss[i], accuracy[i])
            going.append(not settled[i] and step < 1.5 * (best[c].epochs or 0) + EVERY)
        if not any(going):
            break
        if not all(going):
            chosen = torch.tensor(going, device=held.x.device).repeat_interleave(members)
            stack.keep(chosen)
            held, alive = held.keep(chosen), alive[going]
    return best


def _measured(logits: Tensor, held: Data, columns: int) -> tuple[list[float], list[float]]:
    """Return the held-out loss and accuracy of each column over its folds."""
    log_p = torch.log_softmax(logits, 2)  # (a, v, k, m)
    surprise = -log_p.gather(2, held.y[:, :, None])[:, :, 0] * held.weight
    right = (log_p.argmax(2) == held.y) * held.weight
    total = held.weight.reshape(columns, -1).sum(1)
    loss, accuracy = (v.reshape(columns, -1).sum(1) / total for v in (surprise, right))
    return loss.tolist(), accuracy.tolist()


def refit(
    columns: list[Tensor], plan: Plan, choices: list[Choice], classes: int, hidden: int
) -> list[Fit]:
    """Train task and controls of all seeds on all training examples with the chosen penalty.

    A linear probe's optimum does not depend on the seed, so equal labels are fitted only once.
    """
    seeds, variants, n = plan.labels.shape
    labels, back = plan.labels.reshape(-1, n), np.arange(seeds * variants)
    weights = np.tile(plan.all_weights, (seeds, 1))
    if not hidden:
        both = np.hstack([labels, weights])
        _, first, back = np.unique(both, axis=0, return_index=True, return_inverse=True)
        labels, weights = labels[first], weights[first]
    starts = [s for s in plan.seeds for _ in range(variants)] if hidden else [0] * len(labels)
    order = sorted(range(len(columns)), key=lambda c: choices[c].epochs or 0)
    fits: dict[int, Fit] = {}
    chunks = _chunks([columns[c] for c in order], 1, len(labels), plan, classes, hidden)
    learnt: Data
    for own in chunks:
        chosen = [choices[c] for c in order[len(fits) : len(fits) + len(own)]]
        if _shared(plan, own[0].shape[1], hidden):
            learnt, scaling = share_inputs(own, plan.train, [plan.train], labels, weights)
            tested = scaling.apply(own, plan.test)
        else:
            learnt, held = stack_inputs(own, [(plan.train, plan.test)], labels, weights)
            tested = held.x
        layers = _start(starts, own[0].shape[1], hidden, classes, learnt.x)
        penalty = torch.tensor([[c.penalty] for c in chosen], device=learnt.x.device)
        stack = _stack(layers, ProbeStack.flat(layers), penalty, learnt)
        theta = stack.solve(STEPS, [c.epochs for c in chosen])
        guesses, recalled = (
            _logits(shapes_of(layers), theta, x).argmax(2) for x in (tested, learnt.x)
        )
        share = learnt.weight.double() / learnt.weight.sum(2, keepdim=True)
        right = ((recalled == learnt.y) * share).sum(2)
        found = (values.cpu().numpy()[:, back] for values in (guesses, right))
        for c, guess, accuracy in zip(order[len(fits) :], *found, strict=False):
            shape = (seeds, variants)
            fits[c] = Fit(guess.reshape(*shape, -1), accuracy.reshape(shape))
    return [fits[c] for c in range(len(columns))]


def _start(
    seeds: list[int], width: int, hidden: int, classes: int, x: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Return initial layers for x (a, n, d); each variant has one seed, shared by all members."""
    drawn = {s: initial_layers(x.shape[2], hidden, classes, s, width) for s in set(seeds)}

    def stacked(layer: int, part: int) -> Tensor:
        own = torch.from_numpy(np.stack([drawn[s][layer][part] for s in seeds]))
        return own.to(x.device).expand(len(x), *own.shape)

    return [(stacked(i, 0), stacked(i, 1)) for i in range(2 if hidden else 1)]


def _stack(
    layers: list[tuple[Tensor, Tensor]], theta: Tensor, penalty: Tensor | float, data: Data
) -> ProbeStack:
    kind = LinearStack if isinstance(data, Shared) else ProbeStack
    return kind(layers, theta, penalty, data)


def _logits(shapes: list[torch.Size], theta: Tensor, x: Tensor) -> Tensor:
    """Return the logits (a, v, k, m) of parameters (a, v, p) and inputs (a, m, d)."""
    parts = split(theta, shapes)
    return torch.cat([forward(parts, part)[1] for part in x.split(_EVALUATED, 1)], 3)


def _chunks(
    columns: list[Tensor], members: int, variants: int, plan: Plan, classes: int, hidden: int
) -> Iterator[list[Tensor]]:
    """Split the columns into chunks whose tensors stay under ``STACK_BYTES``."""
    n, width = columns[0].shape
    parameters = hidden * (width + classes) if hidden else width * classes
    # parameters, trial, gradients and L-BFGS pairs; activations and their gradients
    state = variants * ((2 * MEMORY + 6) * parameters + 3 * (hidden + classes) * n)
    products = 2 * width**2 if _shared(plan, width, hidden) else 0  # covariance and factor
    size = max(1, STACK_BYTES // (4 * (members * (n * width + state) + products)))
    yield from (columns[i : i + size] for i in range(0, len(columns), size))
