"""Stacks of examples: which rows every run is trained on, and which it is evaluated on.

A run is one column with one seed. It has one member of axis ``a`` per fold, or a single one when
it is trained on the whole training part.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from eyechart.core.randomness import generator
from eyechart.statistics.splits import StackedBatches, cut_batches

Run = tuple[int, int]  # number of the column, number of the plan

ROUNDING = 1e-6  # a spread below this share of the mean is float32 rounding, not a feature


@dataclass(frozen=True)
class SeedPlan:
    """What one seed determines: folds, batch order, initial parameters, labels of the controls.

    Attributes
    ----------
    seed : int
    folds : list of ndarray of int
        The training rows held out by each fold, shuffled.
    labels : ndarray of int64, shape (v, n)
        Row 0 the task, the others the controls.
    """

    seed: int
    folds: list[np.ndarray]
    labels: np.ndarray


def make_plan(
    seed: int, fold: np.ndarray, labels: np.ndarray, train: np.ndarray, task: str
) -> SeedPlan:
    """Return a seed's plan.

    Parameters
    ----------
    seed : int
    fold : ndarray of int, shape (n_train,)
        The fold of each training row, in row order.
    labels : ndarray of int64, shape (v, n)
    train : ndarray of bool, shape (n,)
    task : str
    """
    order = generator("batches", seed, task).permutation(len(fold))
    rows = np.flatnonzero(train)[order]
    return SeedPlan(seed, [rows[fold[order] == f] for f in range(fold.max() + 1)], labels)


@dataclass(frozen=True)
class StackedRows:
    """Rows and labels of all plans.

    Attributes
    ----------
    members : int
        Members of axis a per run.
    labels : list of ndarray of int64, shape (v, n)
        One per plan.
    batches : StackedBatches
        Rows to train on: (plans × members, steps, b).
    held : StackedBatches
        Rows to predict: (plans × members, 1, m).
    """

    members: int
    labels: list[np.ndarray]
    batches: StackedBatches
    held: StackedBatches


def folds_layout(plans: list[SeedPlan], batch_size: int) -> StackedRows:
    """Return the layout of k-fold: each fold is held out by a member trained on the others."""
    folds = len(plans[0].folds)
    learnt = [
        np.concatenate([rows for g, rows in enumerate(plan.folds) if g != f])
        for plan in plans
        for f in range(folds)
    ]
    held = [rows for plan in plans for rows in plan.folds]
    return StackedRows(
        folds,
        [plan.labels[:1] for plan in plans],
        cut_batches(learnt, batch_size),
        cut_batches(held, max(len(rows) for rows in held)),
    )


def whole_layout(plans: list[SeedPlan], batch_size: int) -> StackedRows:
    """Return the layout of the final training: on all folds, with the test rows held out."""
    learnt = [np.concatenate(plan.folds) for plan in plans]
    test = np.setdiff1d(np.arange(plans[0].labels.shape[1]), learnt[0])
    return StackedRows(
        1,
        [plan.labels for plan in plans],
        cut_batches(learnt, batch_size),
        cut_batches([test] * len(plans), len(test)),
    )


@dataclass
class Data:
    """Stacked inputs (float32) and labels (int64), to train on and held out."""

    x: Tensor  # (a, steps, b, d)
    y: Tensor  # (a, v, steps, b)
    weight: Tensor  # (a, steps, b)
    held_x: Tensor  # (a, m, d)
    held_y: Tensor  # (a, v, m)
    held_weight: Tensor  # (a, m)

    def keep(self, chosen: Tensor) -> None:
        """Keep only the chosen members of axis ``a`` (bool, shape (a,))."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[chosen])


def stack_inputs(
    columns: list[Tensor], runs: list[Run], layout: StackedRows, standardise: bool
) -> Data:
    """Return the stacked inputs of some runs, standardised by each member's training rows.

    Parameters
    ----------
    columns : list of Tensor, float32, shape (n, d)
    runs : list of Run
    layout : StackedRows
    standardise : bool
        A feature that is constant in the training rows is only centred.
    """
    device = columns[0].device
    rows, weight = (torch.from_numpy(t).to(device) for t in _arrays(layout.batches))
    held_rows, held_weight = (torch.from_numpy(t[:, 0]).to(device) for t in _arrays(layout.held))
    labels = [torch.from_numpy(y).to(device) for y in layout.labels]
    parts = [(c, s, s * layout.members + f) for c, s in runs for f in range(layout.members)]
    xs, held_xs = [], []
    for c, _, part in parts:
        x, held_x = columns[c][rows[part]], columns[c][held_rows[part]]
        if standardise:
            share = (weight[part] / weight[part].sum()).flatten()  # padding counts as 0
            mean = share @ x.flatten(0, 1)
            x, held_x = x.sub_(mean), held_x.sub_(mean)
            variance = share @ x.flatten(0, 1).square()
            constant = variance <= (ROUNDING * mean).square()
            scale = torch.where(constant, 1, variance.rsqrt())
            x, held_x = x.mul_(scale), held_x.mul_(scale)
        xs.append(x)
        held_xs.append(held_x)
    which = [part for _, _, part in parts]
    return Data(
        torch.stack(xs),
        torch.stack([labels[s][:, rows[part]] for _, s, part in parts]),
        weight[which],
        torch.stack(held_xs),
        torch.stack([labels[s][:, held_rows[part]] for _, s, part in parts]),
        held_weight[which],
    )


def _arrays(batches: StackedBatches) -> tuple[np.ndarray, np.ndarray]:
    return batches.rows, batches.weight
