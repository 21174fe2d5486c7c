"""Train the small DPT head with Adam on the absolute error, with early stopping on groups."""

import copy
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eyechart.core.randomness import generator, seed_for
from eyechart.readout.depth.dpt import DPT

log = logging.getLogger(__name__)

BETAS, EPSILON = (0.9, 0.999), 1e-8


@dataclass(frozen=True)
class Example:
    """One view: its maps (d, h, w) at each block, and its cells' depths, NaN if unknown."""

    maps: list[Tensor]
    depths: Tensor
    group: str


def fit(examples: Sequence[Example], settings: dict[str, Any], seed: tuple[str | int, ...]) -> DPT:
    """Train a head; return it in its state after the best epoch.

    Parameters
    ----------
    examples : examples from training images of at least two groups
    settings : ``width``, ``finest`` (cells along a token's side), ``epochs`` (maximum), ``lr``,
        ``batch``, ``patience`` (epochs without improvement before stopping), ``held_out`` (share of
        the groups used for early stopping)
    seed : parts of the seed of all random draws
    """
    kept, held = split(examples, settings["held_out"], seed)
    net = DPT([len(one) for one in kept[0].maps], settings["width"], settings["finest"])
    net.init_weights(seed_for("depth head weights", *seed))
    _standardise(net, kept)
    step = adam(list(net.parameters()), settings["lr"])
    best, state, since = float("inf"), copy.deepcopy(net.state_dict()), 0
    for epoch in range(settings["epochs"]):
        draw = generator("depth head epoch", epoch, *seed)
        for batch in _batches(kept, settings["batch"], draw):
            net.zero_grad()
            _error(net, batch)[0].backward()
            step()
        error = evaluate(net, held, settings["batch"])
        since += 1
        if error < best:
            best, state, since = error, copy.deepcopy(net.state_dict()), 0
        if since >= settings["patience"]:
            break
    log.info("DPT head: %d epochs, best held-out error %.3f", epoch + 1, best)
    net.load_state_dict(state)
    return net


def adam(parameters: Sequence[Tensor], lr: float) -> Callable[[], None]:
    """Return a function that takes one Adam step, without the slow import of ``torch.optim``.

    Source: Kingma & Ba 2015, algorithm 1, with the constants proposed there.
    """
    first = [torch.zeros_like(p) for p in parameters]
    second = [torch.zeros_like(p) for p in parameters]
    steps = 0

    @torch.no_grad()
    def step() -> None:
        nonlocal steps
        steps += 1
        for p, m, v in zip(parameters, first, second, strict=True):
            assert p.grad is not None
            m.lerp_(p.grad, 1 - BETAS[0])
            v.lerp_(p.grad**2, 1 - BETAS[1])
            size = (v / (1 - BETAS[1] ** steps)).sqrt_().add_(EPSILON)
            p.sub_(lr / (1 - BETAS[0] ** steps) * m / size)

    return step


def split(
    examples: Sequence[Example], share: float, seed: tuple[str | int, ...]
) -> tuple[list[Example], list[Example]]:
    """Return examples to train on and to hold out: a share of the groups, never none or all."""
    groups = sorted({example.group for example in examples})
    order = generator("depth head held out", *seed).permutation(len(groups))
    count = min(max(1, round(share * len(groups))), len(groups) - 1)
    out = {groups[i] for i in order[:count]}
    kept = [example for example in examples if example.group not in out]
    return kept, [example for example in examples if example.group in out]


@torch.inference_mode()
def evaluate(net: DPT, examples: Sequence[Example], batch: int) -> float:
    """Return the mean absolute error over all known cells."""
    total, count = 0.0, 0
    for part in _batches(examples, batch, None):
        error, cells = _error(net, part)
        total, count = total + float(error) * cells, count + cells
    return total / max(count, 1)


def _error(net: DPT, batch: Sequence[Example]) -> tuple[Tensor, int]:
    maps = [torch.stack(block).float() for block in zip(*(e.maps for e in batch), strict=True)]
    depths = torch.stack([example.depths for example in batch])
    known = ~depths.isnan()
    cells = int(known.sum())
    off = torch.where(known, net(maps) - depths.nan_to_num(), 0).abs()
    return off.sum() / max(cells, 1), cells


def _batches(
    examples: Sequence[Example], size: int, draw: np.random.Generator | None
) -> Iterator[list[Example]]:
    """Yield batches of examples of equal shape, in random order if a generator is given."""
    shapes: dict[tuple[int, ...], list[Example]] = {}
    for i in draw.permutation(len(examples)) if draw else range(len(examples)):
        shapes.setdefault(tuple(examples[i].depths.shape), []).append(examples[i])
    for alike in shapes.values():
        for start in range(0, len(alike), size):
            yield alike[start : start + size]


def _standardise(net: DPT, examples: Sequence[Example]) -> None:
    """Set the network's mean and standard deviation of features and depths from examples."""
    for i in range(len(examples[0].maps)):
        count = 0
        total = square = torch.zeros(len(examples[0].maps[i]), dtype=torch.float64)
        for example in examples:
            own = example.maps[i].double().flatten(1)
            count += own.shape[1]
            total, square = total + own.sum(1), square + (own**2).sum(1)
        mean = total / count
        variance = (square / count - mean**2).clamp(min=0)
        alive = variance > 1e-6 * mean**2  # less is rounding
        scale = torch.where(alive & (variance > 0), variance.sqrt(), 1.0)
        getattr(net, f"mean_{i}").copy_(mean)
        getattr(net, f"scale_{i}").copy_(scale)
    depths = torch.cat([example.depths.flatten() for example in examples])
    depths = depths[~depths.isnan()]
    net.depth.copy_(torch.stack([depths.mean(), depths.std().clamp(min=1e-6)]))
