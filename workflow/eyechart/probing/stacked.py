"""Many small probes trained at once: every tensor has stack axes, every product is a bmm.

A stack has two axes. Along ``a`` the inputs differ (column, seed, fold). Along ``v`` the inputs are
shared and the labels or the optimiser's settings differ (grid point, or task and controls), so that
the first layer of all variants is a single wide product.
"""

import math

import numpy as np
import torch
from torch import Tensor

from eyechart.core.randomness import generator

_BETA_1, _BETA_2, _EPS = 0.9, 0.999, 1e-8  # AdamW's usual constants


def initial_layers(
    width: int, hidden: int, classes: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (weight (out, in), bias (out, 1)) per layer, float32.

    A hidden layer starts uniform within ±1/√in; the output layer starts at zero, so that every
    probe starts from the uniform prediction. ``hidden`` 0 is a linear probe.
    """
    output = hidden or width
    layers = [(np.zeros((classes, output)), np.zeros((classes, 1)))]
    if hidden:
        rng = generator("probe_init", seed, width, hidden)
        bound = 1 / math.sqrt(width)
        shapes = ((hidden, width), (hidden, 1))
        layers.insert(0, tuple(rng.uniform(-bound, bound, s) for s in shapes))  # type: ignore[arg-type]
    return [(w.astype(np.float32), b.astype(np.float32)) for w, b in layers]


class ProbeStack:
    """A stack of probes trained together with AdamW.

    Parameters
    ----------
    layers : list of (Tensor (a, v, out, in), Tensor (a, v, out, 1))
        Initial parameters; taken over, not copied.
    rates : Tensor, float32, shape (a, v, 2)
        Learning rate and weight decay.

    Notes
    -----
    Source: Loshchilov & Hutter 2019 (AdamW). Loss: mean cross-entropy of a batch.
    """

    def __init__(self, layers: list[tuple[Tensor, Tensor]], rates: Tensor) -> None:
        self.params = [p for layer in layers for p in layer]
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]
        self.rates = rates
        self.step = 0

    def logits(self, x: Tensor) -> Tensor:
        """Return logits, shape (a, v, k, b), of inputs (a, b, d)."""
        return self._forward(x)[1]

    def run_epoch(self, x: Tensor, y: Tensor, weight: Tensor) -> None:
        """Train on every batch once, in order.

        Parameters
        ----------
        x : Tensor, float32, shape (a, steps, b, d)
        y : Tensor, int64, shape (a, v, steps, b)
            Class codes; v may be 1, if all variants have the same labels.
        weight : Tensor, float32, shape (a, steps, b)
            0 for padding, else 1. A batch with only padding has gradient 0.
        """
        y = y.expand(-1, self.rates.shape[1], -1, -1)
        weight = weight / weight.sum(-1, keepdim=True).clamp_min(1)
        for s in range(x.shape[1]):
            self._update(self._gradients(x[:, s], y[:, :, s], weight[:, s]))

    def keep(self, chosen: Tensor) -> None:
        """Keep only the chosen members of axis ``a`` (bool, shape (a,))."""
        for tensors in (self.params, self.m, self.v):
            tensors[:] = [t[chosen] for t in tensors]
        self.rates = self.rates[chosen]

    def _forward(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        """Return (hidden activations or None, logits), both (a, v, out, b)."""
        w, b = self.params[:2]
        out = torch.bmm(w.flatten(1, 2), x.transpose(1, 2))  # (a, v·out, b)
        out = out.view(*w.shape[:3], x.shape[1]).add_(b)
        if len(self.params) == 2:
            return None, out
        hidden = out.relu_()
        w, b = self.params[2:]
        out = torch.bmm(w.flatten(0, 1), hidden.flatten(0, 1))  # (a·v, k, b)
        return hidden, out.view(*w.shape[:3], x.shape[1]).add_(b)

    def _gradients(self, x: Tensor, y: Tensor, weight: Tensor) -> list[Tensor]:
        """Return the gradients of the batch's mean cross-entropy, in the order of parameters."""
        hidden, logits = self._forward(x)
        grad = torch.softmax(logits, 2)
        grad.scatter_add_(2, y[:, :, None], torch.full_like(grad[:, :, :1], -1))
        grad *= weight[:, None, None]  # (a, v, k, b)
        gradients: list[Tensor] = []
        if hidden is not None:
            flat = grad.flatten(0, 1)  # (a·v, k, b)
            w = self.params[2]
            product = torch.bmm(flat, hidden.flatten(0, 1).transpose(1, 2))  # (a·v, k, h)
            gradients = [product.view_as(w), grad.sum(-1, keepdim=True)]
            grad = torch.bmm(w.flatten(0, 1).transpose(1, 2), flat).view_as(hidden)
            grad *= hidden.sign_()  # the slope of ReLU: 0 or 1
        product = torch.bmm(grad.flatten(1, 2), x)  # (a, v·out, d)
        return [product.view_as(self.params[0]), grad.sum(-1, keepdim=True), *gradients]

    def _update(self, gradients: list[Tensor]) -> None:
        """Take one AdamW step; the bias corrections are folded into the step's scale."""
        self.step += 1
        lr, decay = self.rates[..., None, None].unbind(2)  # each (a, v, 1, 1)
        scale = (1 - _BETA_1**self.step) / lr
        root = 1 / math.sqrt(1 - _BETA_2**self.step)
        decays = bool(decay.any())
        for p, m, v, g in zip(self.params, self.m, self.v, gradients, strict=True):
            m.lerp_(g, 1 - _BETA_1)
            v.mul_(_BETA_2).addcmul_(g, g, value=1 - _BETA_2)
            denominator = torch.sqrt(v, out=g)
            torch.addcmul(_EPS * scale, denominator, root * scale, out=denominator)
            if decays:
                p.mul_(1 - lr * decay)
            p.addcdiv_(m, denominator, value=-1)
