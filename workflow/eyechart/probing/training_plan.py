"""The training data of a task's probes: folds, labels of task and controls, standardised inputs."""

from dataclasses import dataclass, field, fields

import numpy as np
import torch
from torch import Tensor

ROUNDING = 1e-6  # a spread below this share of the mean is float32 rounding, not a feature


@dataclass(frozen=True)
class Plan:
    """The folds, labels and weights that all probes of a task share.

    Attributes
    ----------
    seeds : list of int, length s
    folds : list of ndarray of int; the training rows held out by each fold
    labels : int64, shape (s, v, n)
        For each seed, the t tasks come first, then as many controls of each kind.
    weights : float, shape (t, n); weights of each task's examples. By default there is one task
        with equal weights. In a control, all nonzero weights are equal.
    """

    seeds: list[int]
    folds: list[np.ndarray]
    labels: np.ndarray
    weights: np.ndarray = field(default_factory=lambda: np.ones((1, 1)))

    @property
    def tasks(self) -> np.ndarray:
        """The labels of the tasks, (t, n)."""
        tasks: np.ndarray = self.labels[0, : len(self.weights)]
        return tasks

    @property
    def all_weights(self) -> np.ndarray:
        """The weights of tasks and controls, (v, n or 1)."""
        controls = self.labels.shape[1] // len(self.weights) - 1
        return np.concatenate([self.weights, *[(self.weights > 0).astype(float)] * controls])

    def parts(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the (training rows, held-out rows) of each fold."""
        return [(np.setdiff1d(self.train, held), held) for held in self.folds]

    @property
    def train(self) -> np.ndarray:
        """The rows of the training set, in row order."""
        return np.sort(np.concatenate(self.folds))

    @property
    def test(self) -> np.ndarray:
        """The rows of the test set, in row order."""
        return np.setdiff1d(np.arange(self.labels.shape[2]), self.train)


@dataclass
class Data:
    """Inputs (float32), labels (int64), weights (0 for padding) of stacked probes."""

    x: Tensor  # (a, n, d), on the principal axes of the training rows
    variance: Tensor  # (a, d), along these axes
    y: Tensor  # (a, v, n)
    weight: Tensor  # (a, v or 1, n)

    def keep(self, chosen: Tensor) -> "Data":
        """Return only the chosen members along axis ``a`` (bool, shape (a,))."""
        return type(self)(*(getattr(self, own.name)[chosen] for own in fields(self)))


def stack_inputs(
    columns: list[Tensor],
    parts: list[tuple[np.ndarray, np.ndarray]],
    labels: np.ndarray,
    weights: np.ndarray = np.ones((1, 1)),  # noqa: B008
) -> tuple[Data, Data]:
    """Return the training data and the evaluation data of every column's members.

    Inputs are standardised by the member's training rows and rotated to their principal axes, which
    changes neither a penalised probe nor its predictions. With fewer rows than features, there are
    as many axes as rows.

    Result: ordered by column, then by member.

    Parameters
    ----------
    columns : list of Tensor, float32, shape (n, d)
    parts : list of (ndarray of int, ndarray of int); training rows and held-out rows, one pair per
        member of a column
    labels : int64, shape (v, n)
    weights : float, shape (v or 1, n)
    """
    device = columns[0].device
    (rows, weight), (held, held_weight) = (_padded([p[i] for p in parts], device) for i in (0, 1))
    y = torch.from_numpy(labels).to(device)
    counts = torch.from_numpy(
        np.broadcast_to(weights, (len(weights), y.shape[1])).astype(np.float32)
    )
    counts = counts.to(device)
    found = [
        _rotated(column[rows[i]], column[held[i]], weight[i])
        for column in columns
        for i in range(len(parts))
    ]
    x, held_x, variance = (torch.stack(tensors) for tensors in zip(*found, strict=True))
    c = len(columns)
    both = ((x, rows, weight), (held_x, held, held_weight))
    learnt, tested = (
        Data(inputs, variance, *(t.transpose(0, 1).repeat(c, 1, 1) for t in (y[:, own], known)))
        for inputs, own, known in ((x, own, counts[:, own] * there) for x, own, there in both)
    )
    return learnt, tested


def _rotated(x: Tensor, held: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return both inputs standardised and rotated to the principal axes of x, and the variances.

    A feature that is constant in x is only centred.
    """
    n = weight.sum()
    mean = weight @ x / n  # padding counts as 0
    x, held = (x - mean) * weight[:, None], held - mean
    variance = x.square().sum(0) / n
    constant = variance <= (ROUNDING * mean).square()
    scale = torch.where(constant, 1, variance.rsqrt())
    x, held = x * scale, held * scale
    if len(x) < x.shape[1]:
        along, axes = _eigen(x @ x.T / n)
        axes = x.T @ axes * torch.where(along > ROUNDING * along[-1], (n * along).rsqrt(), 0)
    else:
        along, axes = _eigen(x.T @ x / n)
    return x @ axes, held @ axes, along.clamp_min(0)


def _eigen(symmetric: Tensor) -> tuple[Tensor, Tensor]:
    # Apple's GPUs do not support this decomposition
    here = symmetric.cpu() if symmetric.device.type == "mps" else symmetric
    values, vectors = torch.linalg.eigh(here)
    return values.to(symmetric.device), vectors.to(symmetric.device)


def _padded(parts: list[np.ndarray], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the row numbers (f, n), padded with row 0, and their weights (0 for padding)."""
    rows = torch.zeros(len(parts), max(map(len, parts)), dtype=torch.int64)
    weight = torch.zeros(rows.shape)
    for i, part in enumerate(parts):
        rows[i, : len(part)], weight[i, : len(part)] = torch.from_numpy(part), 1
    return rows.to(device), weight.to(device)
