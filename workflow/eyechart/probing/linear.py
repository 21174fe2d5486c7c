"""Train linear probes that share inputs: all folds, tasks and controls of a column at once.

Each fold's standardisation is applied to its weights and bias, so that all folds have the same
inputs. One pass over the inputs then serves all folds, and one factorisation of their covariance
preconditions all probes. The preconditioner changes the steps to the optimum, not the optimum.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eyechart.probing.stacked import CURVATURE, ProbeStack, split
from eyechart.probing.training_plan import ROUNDING, Data

_BLOCK = 512  # features whose products are computed at once
_RAISES = 6  # attempts with a ridge that is ten times larger


@dataclass
class Shared(Data):
    """Inputs that all variants of a column share, standardised by statistics of all training rows.

    ``variance`` is the upper triangle of the covariance, (a, d, d), and ``weight`` is 0 for the
    rows that a variant does not learn from.
    """

    mean: Tensor  # (a, v, d), in the rows that a variant learns from
    spread: Tensor  # (a, v, d), the standard deviation there


class LinearStack(ProbeStack):
    """A stack of linear probes on shared inputs, preconditioned by the inverse curvature."""

    def _inputs(self, penalty: Tensor, data: Data) -> tuple[Tensor, Tensor, Tensor]:
        assert isinstance(data, Shared)
        self.factor, self.mean = _factor(data.variance, penalty / CURVATURE), data.mean
        return 1 / data.spread, data.x, torch.ones_like(data.x[:, 0])

    def _conditioned(self, grad: Tensor) -> Tensor:
        """Return the gradient times (C + penalty / curvature)⁻¹, for the covariance C."""
        weights, bias = split(grad, self.shapes)
        right = weights.flatten(1, 2).mT.to(self.factor.device)
        solved = torch.cholesky_solve(right, self.factor, upper=True).mT.to(grad.device)
        return torch.cat([solved.reshape(weights.shape).flatten(2), bias.flatten(2)], 2)

    def _entropy(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        loss, grad = super()._entropy(self._outer(theta))
        weights, bias = split(grad, self.shapes)
        weights -= bias * self.mean[:, :, None]
        return loss, self._scaled(grad, self.unit)

    def _outer(self, theta: Tensor) -> Tensor:
        found = self._scaled(theta, self.unit)
        weights, bias = split(found, self.shapes)
        bias -= weights @ self.mean[..., None]
        return found

    def _inner(self, theta: Tensor) -> Tensor:
        found = self._scaled(theta, 1 / self.unit)
        bias = split(found, self.shapes)[1]
        bias += split(theta, self.shapes)[0] @ self.mean[..., None]
        return found

    def keep(self, chosen: Tensor) -> None:
        """Keep only the chosen members along axis ``a`` (bool, shape (a,))."""
        super().keep(chosen)
        self.mean = self.mean[chosen]
        self.factor = self.factor[chosen.to(self.factor.device)]


def share_inputs(
    columns: list[Tensor],
    rows: np.ndarray,
    parts: list[np.ndarray],
    labels: np.ndarray,
    weights: np.ndarray,
) -> tuple[Shared, "Scaling"]:
    """Return training data with one variant per part and set of labels, and the columns' scaling.

    Parameters
    ----------
    columns : list of Tensor, float32, shape (n, d)
    rows : the training rows
    parts : the rows that each part learns from, length f
    labels, weights : shape (v, n), and (v or 1, n or 1)

    Result: the variants (f·v) are in the order of parts, then of labels.
    """
    x, scaling = _standardised(columns, rows)
    y, weight = known(x, rows, parts, labels, weights)
    moments = _moments(x, scaling, [np.isin(rows, part) for part in parts])
    own = [m.repeat_interleave(len(labels), 1) for m in moments]
    return Shared(x, _covariance(x), y, weight, *own), scaling


def known(
    x: Tensor, rows: np.ndarray, parts: list[np.ndarray], labels: np.ndarray, weights: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Return labels and weights (a, f·v, n) for x (a, n, d); the weight is 0 outside a part."""
    weights = np.broadcast_to(weights, (len(weights), labels.shape[1]))[:, rows]
    weights = np.broadcast_to(weights, (len(labels), len(rows))).astype(np.float32)
    own = np.concatenate([weights * np.isin(rows, part) for part in parts])
    both = (np.tile(labels[:, rows], (len(parts), 1)), own)
    y, weight = (torch.from_numpy(v).to(x.device).expand(len(x), *v.shape) for v in both)
    return y, weight


@dataclass(frozen=True)
class Scaling:
    """The means and scales of columns, (a, 1, d)."""

    mean: Tensor
    scale: Tensor

    def apply(self, columns: list[Tensor], rows: np.ndarray) -> Tensor:
        """Return the scaled rows, (a, n, d)."""
        return (torch.stack([column[rows] for column in columns]) - self.mean) * self.scale


def _standardised(columns: list[Tensor], rows: np.ndarray) -> tuple[Tensor, Scaling]:
    """Return the standardised rows (a, n, d); a constant feature is only centred."""
    x = torch.stack([column[rows] for column in columns])
    mean = x.mean(1, keepdim=True)
    x -= mean
    variance = x.square().mean(1, keepdim=True)
    constant = variance <= (ROUNDING * mean).square()
    scale = torch.where(constant, 1, variance.rsqrt())
    return x.mul_(scale), Scaling(mean, scale)


def _moments(x: Tensor, scaling: Scaling, parts: list[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Return means and spreads (a, f, d) of parts of x; a constant feature's spread is 1."""
    means, spreads = [], []
    for part in parts:
        share = torch.from_numpy(part / part.sum()).to(x)
        mean = share @ x
        rest = x - mean[:, None]
        off = share @ rest  # the rounding of the mean
        mean = mean + off
        variance = share @ rest.square_() - off.square()
        centre = (scaling.mean * scaling.scale)[:, 0] + mean
        constant = variance <= ROUNDING**2 * (centre.square() + mean.square())
        means.append(mean)
        spreads.append(torch.where(constant, 1, variance.sqrt()))
    return torch.stack(means, 1), torch.stack(spreads, 1)


def _covariance(x: Tensor) -> Tensor:
    """Return the upper triangle of the covariance, (a, d, d), of centred inputs (a, n, d)."""
    width = x.shape[2]
    found = x.new_zeros(len(x), width, width)
    for i in range(0, width, _BLOCK):
        found[:, i : i + _BLOCK, i:] = x[:, :, i : i + _BLOCK].mT @ x[:, :, i:]
    return found.div_(x.shape[1])


def _factor(covariance: Tensor, ridge: Tensor) -> Tensor:
    """Return the upper Cholesky factors (a, d, d) of C + ridge, given C's upper triangle.

    Where rounding leaves C + ridge indefinite, the ridge (a, 1) is raised; inputs that are not
    finite are an error.
    """
    # Apple's GPUs do not support all that this and the solver need
    here = covariance.cpu() if covariance.device.type == "mps" else covariance
    ridge = ridge.to(here.device).expand(len(here), here.shape[2])
    for _ in range(_RAISES):
        factor, failed = torch.linalg.cholesky_ex(here + torch.diag_embed(ridge), upper=True)
        if not failed.any():
            return factor
        ridge = torch.where(failed[:, None] > 0, 10 * ridge, ridge)
    return torch.linalg.cholesky(here + torch.diag_embed(ridge), upper=True)
