"""Erase: remove a concept from image tokens by LEACE, at the connector or after a block.

The concept is a task: its classes are its items' answers, on the tokens of their referents.
Controls are random subspaces of the same rank, and erasers for permuted labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from eyechart.core.errors import UserError, nearest
from eyechart.core.randomness import generator
from eyechart.interventions.batch import Batch
from eyechart.interventions.changes import IMAGE, Write
from eyechart.interventions.edit import Edit, Setup
from eyechart.interventions.erasers import Sample, describe, fit_on, permuted
from eyechart.statistics.eraser import Eraser, fit_random


def edits(setup: Setup) -> Iterator[Edit]:
    """Yield the erasure of every concept at every address, with its controls."""
    names = concepts(setup)
    for address, sample in setup.samples.items():
        for concept in names:
            try:
                eraser = fit_on(sample, concept)
            except ValueError as error:
                setup.note(f"erase: {concept!r} cannot be erased at {address}: {error}")
                continue
            for control, draw, one in ("", 0, eraser), *controls(setup, sample, concept, eraser):
                row = describe(one, sample, setup.held_out[address], concept)
                named = {"address": address, "concept": concept, "control": control, "draw": draw}
                setup.erasers.append(named | row)
                write = Write(address, IMAGE, erasing(one))
                yield Edit(
                    "erase",
                    partial(Batch.answers, changes=[write]),
                    address,
                    target=IMAGE,
                    concept=concept,
                    control=control,
                    draw=draw,
                )


def controls(
    setup: Setup, sample: Sample, concept: str, eraser: Eraser
) -> Iterator[tuple[str, int, Eraser]]:
    """Yield the kind, number and eraser of each control."""
    options = setup.options["erase"]
    for draw in range(options["random"]):
        rng = generator("random eraser", setup.seed, concept, draw)
        yield "random", draw, fit_random(sample.mean, sample.covariance, eraser.rank, rng)
    for draw in range(options["permuted"]):
        rng = generator("permuted eraser", setup.seed, concept, draw)
        try:
            yield "permuted", draw, fit_on(permuted(sample, concept, rng), concept)
        except ValueError as error:
            setup.note(f"erase: {concept!r} with permuted labels cannot be erased: {error}")


def concepts(setup: Setup) -> list[str]:
    """Return the concepts to erase; concepts without labelled tokens are noted and left out."""
    tasks = sorted({str(one.item["task"]) for one in setup.training})
    chosen = setup.options["erase"]["concepts"]
    for name in chosen or ():
        if name not in tasks:
            raise UserError(f"interventions.erase.concepts: {name!r}; {nearest(name, tasks)}")
    first = next(iter(setup.samples.values()), None)  # labels are the same at all addresses
    labelled = set(first.tasks) if first else set()
    for name in chosen or tasks:
        if name not in labelled:
            setup.note(f"erase: no image token of a training item of task {name!r} has a label")
    return [name for name in chosen or tasks if name in labelled]


def erasing(eraser: Eraser) -> Callable[[Tensor, object], Tensor]:
    """Return a function that removes the concept from states."""
    matrix, mean = (torch.from_numpy(part) for part in (eraser.matrix, eraser.mean))

    def erased(hidden: Tensor, _: object) -> Tensor:
        own = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
        return (own - (own - mean.to(own)) @ matrix.T.to(own)).to(hidden)

    return erased
