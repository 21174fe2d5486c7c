"""Train many small probes at once: every tensor has stack axes, and every product is a bmm.

A stack has two axes. Along ``a``, the inputs differ (column, fold). Along ``v``, the inputs are
shared and the labels or initial parameters differ (task and controls, seeds), so that the first
layer of all variants is a single wide product.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from eyechart.core.randomness import generator
from eyechart.probing.training_plan import Data

MEMORY = 10
TOLERANCE = 1e-6  # nats above the minimum at which a probe counts as optimal
CURVATURE = 0.125  # approximate curvature of the cross-entropy in the logits; at most 0.25
_PER_MEMBER = (
    *("theta", "x", "y", "weight", "unit", "penalty"),
    *("loss", "grad", "conditioned", "step", "scale", "move", "past"),
)
_LEAVING = 0.25  # finished members are removed once they reach this share
_ARMIJO, _SHORTER, _LEAST, _FLAT = 1e-4, 0.25, 1e-6, 1e-8


def initial_layers(
    axes: int, hidden: int, classes: int, seed: int, width: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (weight (out, in), bias (out, 1)) per layer, float32, for the inputs' principal axes.

    A hidden layer is initialised uniformly within ±1/√width, where width is the inputs' number of
    features. The output layer starts at zero, so that every probe starts from the uniform
    prediction. With ``hidden`` 0, the probe is linear.
    """
    layers = [(np.zeros((classes, hidden or axes)), np.zeros((classes, 1)))]
    if hidden:
        rng = generator("probe_init", seed, width, hidden)
        bound = 1 / math.sqrt(width)
        weight, bias = (rng.uniform(-bound, bound, (hidden, i)) for i in (axes, 1))
        layers.insert(0, (weight, bias))
    return [(w.astype(np.float32), b.astype(np.float32)) for w, b in layers]


def shapes_of(layers: list[tuple[Tensor, Tensor]]) -> list[torch.Size]:
    """Return the shapes of each probe's weights and biases."""
    return [p.shape[2:] for layer in layers for p in layer]


def split(theta: Tensor, shapes: list[torch.Size]) -> list[Tensor]:
    """Return the weights and biases, (a, v, out, in) and (a, v, out, 1), of theta (a, v, p)."""
    parts = theta.split([math.prod(shape) for shape in shapes], 2)
    return [p.unflatten(2, s) for p, s in zip(parts, shapes, strict=True)]


def forward(params: list[Tensor], x: Tensor) -> tuple[Tensor | None, Tensor]:
    """Return (hidden activations or None, logits), both (a, v, out, n), of inputs (a, n, d)."""
    w, b = params[:2]
    out = torch.bmm(w.flatten(1, 2), x.transpose(1, 2))  # (a, v·out, n)
    out = out.view(*w.shape[:3], x.shape[1]).add_(b)
    if len(params) == 2:
        return None, out
    hidden = out.relu_()
    w, b = params[2:]
    out = torch.bmm(w.flatten(0, 1), hidden.flatten(0, 1))  # (a·v, k, n)
    return hidden, out.view(*w.shape[:3], x.shape[1]).add_(b)


class ProbeStack:
    """A stack of probes: mean cross-entropy plus ``penalty / 2`` times the squared weights.

    Source: Liu & Nocedal 1989 (L-BFGS), with a backtracking line search. Each probe has its own
    step size; a probe whose step failed tries a shorter one while the others continue.

    Parameters
    ----------
    layers : list of (Tensor (a, v, out, in), Tensor (a, v, out, 1)); only their shapes matter
    theta : Tensor, float32, shape (a, v, p)
        Initial parameters.
    penalty : Tensor, float32, shape (a, v) or (a, 1), or float
    """

    def __init__(
        self,
        layers: list[tuple[Tensor, Tensor]],
        theta: Tensor,
        penalty: Tensor | float,
        data: Data,
    ) -> None:
        self.shapes = shapes_of(layers)
        self.y, self.weight = data.y, data.weight / data.weight.sum(-1, keepdim=True)
        penalty = torch.as_tensor(penalty, device=theta.device).expand(len(theta), 1)
        self.unit, self.x, share = self._inputs(penalty, data)
        shares = [share.repeat(1, self.shapes[0][0])]
        shares += [
            share.new_full((len(theta), math.prod(s)), 1.0 - i % 2)
            for i, s in enumerate(self.shapes)
        ][1:]
        self.penalty = penalty[..., None] * torch.cat(shares, 1)[:, None]  # (a, 1, p)
        self.theta = self._inner(theta)
        shape = theta.shape[:2]
        # steps s (the first m) and conditioned turns Hy of the gradient, where H is the approximate
        # inverse curvature; their products sᵀy and yᵀHy
        self.past = theta.new_zeros(*shape, 2 * MEMORY, theta.shape[2])
        self.products = theta.new_zeros(2, *shape, MEMORY, MEMORY)
        self.order = list(range(MEMORY))  # slots of past steps, oldest first
        self.loss, self.grad = self._evaluate(self.theta)
        self.conditioned = self._conditioned(self.grad)
        self.step = torch.ones_like(self.loss)
        self.scale = torch.ones_like(self.loss)  # scale of the inverse curvature
        self.move = -self.conditioned

    def _inputs(self, penalty: Tensor, data: Data) -> tuple[Tensor, Tensor, Tensor]:
        """Return the scale of the weights (a, v or 1, d), the inputs, and penalty shares (a, d).

        Each axis has the scale that makes the loss about equally curved along all axes, so that few
        steps are needed.
        """
        unit = (data.variance + penalty / CURVATURE).rsqrt()
        return unit[:, None], data.x * unit[:, None], unit.square()

    def _conditioned(self, grad: Tensor) -> Tensor:
        """Return the gradient times the approximate inverse curvature (1 in these units)."""
        return grad

    @staticmethod
    def flat(layers: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Return the parameters of each probe as one vector, (a, v, p)."""
        return torch.cat([p.flatten(2) for layer in layers for p in layer], 2)

    def solve(self, most: int, ends: Sequence[int | None] = ()) -> Tensor:
        """Iterate until every probe has settled or reached its end; return all parameters.

        Finished members are removed, so the stack cannot be used afterwards.

        ``ends``: sequence of int or None, length a; maximum number of steps of each member.
        """
        theta, alive = (
            torch.empty_like(self.theta),
            torch.arange(len(self.theta), device=self.theta.device),
        )
        limit = torch.tensor(
            [most if e is None else e for e in ends] or [most], device=alive.device
        )
        limit = limit.expand(len(theta))
        for step in range(1, most + 1):
            self.iterate()
            done = self.settled().all(1) | (limit[alive] <= step)
            if done.any() and (done.float().mean() >= _LEAVING or (limit[alive] <= step).any()):
                theta[alive[done]] = self.parameters()[done]
                self.keep(~done)
                alive = alive[~done]
                if not len(alive):
                    break
        theta[alive] = self.parameters()
        return theta

    def parameters(self) -> Tensor:
        """Return the parameters in the inputs' units, (a, v, p)."""
        return self._outer(self.theta)

    def _outer(self, theta: Tensor) -> Tensor:
        """Convert internal parameters to the inputs' units."""
        return self._scaled(theta, self.unit)

    def _inner(self, theta: Tensor) -> Tensor:
        """Convert parameters from the inputs' units to internal ones."""
        return self._scaled(theta, 1 / self.unit)

    def _scaled(self, theta: Tensor, unit: Tensor) -> Tensor:
        """Return parameters with the first layer's weights multiplied by units (a, v or 1, d)."""
        out, width = self.shapes[0]
        first = theta[..., : out * width].unflatten(2, (out, width)) * unit[:, :, None]
        return torch.cat([first.flatten(2), theta[..., out * width :]], 2)

    def iterate(self) -> None:
        """Take a step with every probe whose loss it lowers; shorten the steps of the others."""
        trial = self.theta + self.step[..., None] * self.move
        loss, grad = self._evaluate(trial)
        conditioned = self._conditioned(grad)
        slope = (self.grad * self.move).sum(-1)
        lower = loss <= self.loss + _ARMIJO * self.step * slope
        taken = lower[..., None]
        change, turn = trial - self.theta, grad - self.grad
        turned = turn if conditioned is grad else conditioned - self.conditioned
        curved, squared = (change * turn).sum(-1), (turn * turned).sum(-1)
        bent = lower & (curved > _FLAT * squared)  # otherwise useless, or not convex here
        self.scale = torch.where(bent, curved / squared, self.scale)
        self.theta = torch.where(taken, trial, self.theta)
        self.loss = torch.where(lower, loss, self.loss)
        alone = conditioned is grad
        self.grad = torch.where(taken, grad, self.grad)
        self.conditioned = self.grad if alone else torch.where(taken, conditioned, self.conditioned)
        self.step = torch.where(lower, 1, self.step * _SHORTER)
        move = self._direction(change, turn, turned, bent[..., None])
        self.move = move if lower.all() else torch.where(taken, move, self.move)

    def settled(self) -> Tensor:
        """Return whether each probe is at its optimum, or no step lowers its loss, (a, v)."""
        gap = -(self.grad * self.move).sum(-1) / 2  # to the minimum, for a quadratic loss
        return (gap <= TOLERANCE) | (self.step < _LEAST)

    def keep(self, chosen: Tensor) -> None:
        """Keep only the chosen members along axis ``a`` (bool, shape (a,))."""
        for name in _PER_MEMBER:
            setattr(self, name, getattr(self, name)[chosen])
        self.products = self.products[:, chosen]

    def _evaluate(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return the penalised loss (a, v) and its gradient (a, v, p)."""
        loss, grad = self._entropy(theta)
        shrunk = self.penalty * theta
        return loss + (shrunk * theta).sum(-1) / 2, grad + shrunk

    def _entropy(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean cross-entropy (a, v) and its gradient (a, v, p)."""
        params = split(theta, self.shapes)
        hidden, logits = forward(params, self.x)
        log_p = torch.log_softmax(logits, 2)
        loss = -(log_p.gather(2, self.y[:, :, None])[:, :, 0] * self.weight).sum(-1)
        grad = log_p.exp_()
        grad.scatter_add_(2, self.y[:, :, None], torch.full_like(grad[:, :, :1], -1))
        grad *= self.weight[:, :, None]  # (a, v, k, n)
        parts: list[Tensor] = []
        if hidden is not None:
            flat = grad.flatten(0, 1)  # (a·v, k, n)
            w = params[2]
            product = torch.bmm(flat, hidden.flatten(0, 1).transpose(1, 2))  # (a·v, k, h)
            parts = [product.view_as(w), grad.sum(-1, keepdim=True)]
            grad = torch.bmm(w.flatten(0, 1).transpose(1, 2), flat).view_as(hidden)
            grad *= hidden.sign_()  # the slope of ReLU, 0 or 1
        product = torch.bmm(grad.flatten(1, 2), self.x)  # (a, v·out, d)
        parts = [product.view_as(params[0]), grad.sum(-1, keepdim=True), *parts]
        return loss, torch.cat([p.flatten(2) for p in parts], 2)

    def _direction(self, change: Tensor, turn: Tensor, turned: Tensor, bent: Tensor) -> Tensor:
        """Return the L-BFGS direction (a, v, p) after a step ``change``.

        ``turn`` is the resulting change of the gradient, and ``turned`` the conditioned one.

        Steps that are not ``bent`` (a, v, 1) leave an empty slot.

        Source: Byrd, Nocedal & Schnabel 1994, equation 3.1, the compact form, which multiplies
        full matrices instead of handling one past step at a time. R is the upper triangle of sᵀy.
        """
        new = self.order[0]
        self.order = order = [*self.order[1:], new]
        self.past[:, :, new] = change * bent
        self.past[:, :, MEMORY + new] = turned * bent
        beside = torch.stack([turn * bent, self.grad], 2)
        # In this order, the product is twice as fast as in the other
        with_turn, with_grad = (beside @ self.past.mT).unbind(2)  # each (a, v, 2m)
        crossed, squares = self.products
        crossed[:, :, :, new] = with_turn[..., :MEMORY]  # R needs no product with older turns
        squares[:, :, new] = squares[:, :, :, new] = with_turn[..., MEMORY:]
        crossed, squares = self.products[:, :, :, order][..., order]
        along, against = with_grad.unflatten(2, (2, MEMORY))[..., order, None].unbind(2)
        own = crossed.diagonal(dim1=2, dim2=3)
        r = crossed.triu() + torch.diag_embed(
            (own == 0).to(own.dtype)
        )  # empty slots have no effect
        solved = torch.linalg.solve_triangular(r, along, upper=True)
        scale = self.scale[..., None, None]
        right = own[..., None] * solved + scale * (squares @ solved - against)
        steps = torch.linalg.solve_triangular(r.transpose(2, 3), right, upper=False)
        weights = torch.empty_like(with_grad)
        weights[..., order] = steps[..., 0]
        weights[..., [MEMORY + slot for slot in order]] = -(scale * solved)[..., 0]
        newton = self.scale[..., None] * self.conditioned
        return -(weights[:, :, None] @ self.past)[:, :, 0] - newton
