"""A linear depth head: ridge regression of token depths, in closed form from sums of products.

Tokens are read once. A fold is left out by subtracting its sums, so only d x d matrices are kept,
whatever the number of images. scikit-learn's ``Ridge`` needs all tokens in memory; a test compares
the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve

SAME = 1e-10  # relative to the squared mean; a feature with less variance is constant in float16


@dataclass(frozen=True)
class LinearHead:
    """Depth of a token: ``weight @ token + bias``."""

    weight: np.ndarray  # (d,)
    bias: float

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        """Return the depths (t,) of tokens (t, d)."""
        return np.asarray(tokens.astype(np.float64) @ self.weight + self.bias)


class ProductSums:
    """Sums of products of tokens x (t, d) and depths y (t,), as needed for ridge regression.

    Products are relative to ``origin`` (d,), a token near the mean, because otherwise a large
    feature would lose a small variance to rounding.
    """

    def __init__(self, origin: np.ndarray):
        d = len(origin)
        self.origin = origin
        self.n, self.y, self.yy = 0, 0.0, 0.0
        self.x, self.xy, self.xx = np.zeros(d), np.zeros(d), np.zeros((d, d))

    def add(self, tokens: np.ndarray, depths: np.ndarray) -> None:
        """Add tokens (t, d) and their depths (t,)."""
        x = tokens.astype(np.float64) - self.origin
        self.n += len(x)
        self.y += float(depths.sum())
        self.yy += float(depths @ depths)
        self.x += x.sum(0)
        self.xy += depths @ x
        self.xx += x.T @ x

    def combined(self, others: Sequence["ProductSums"], sign: int = 1) -> "ProductSums":
        """Return these sums with others added or subtracted."""
        found = ProductSums(self.origin)
        for name in ("n", "y", "yy", "x", "xy", "xx"):
            rest = sum(getattr(other, name) for other in others)
            setattr(found, name, getattr(self, name) + sign * rest)
        return found

    def fit(self, strength: float) -> LinearHead:
        """Return the head for a ridge strength, fitted on features scaled to a variance of 1.

        ``strength`` is relative to that variance: with 1, a single feature that determines the
        depth gets half its weight.
        """
        x, y = self.x / self.n, self.y / self.n
        covariance = self.xx / self.n - np.outer(x, x)
        variance = covariance.diagonal()
        alive = variance > SAME * (x + self.origin) ** 2
        weight = np.zeros(len(x))
        if alive.any():
            scale = np.sqrt(variance[alive])
            near = covariance[np.ix_(alive, alive)] / np.outer(scale, scale)
            near[np.diag_indices_from(near)] += strength
            towards = (self.xy / self.n - x * y)[alive] / scale
            weight[alive] = solve(near, towards, assume_a="pos") / scale
        return LinearHead(weight, float(y - weight @ (x + self.origin)))

    def squared_error(self, head: LinearHead) -> float:
        """Return the mean squared error of a head on the examples of these sums."""
        w, b = head.weight, head.bias + float(head.weight @ self.origin)
        total = self.yy - 2 * (w @ self.xy) - 2 * b * self.y + w @ self.xx @ w
        return float((total + 2 * b * (w @ self.x) + self.n * b * b) / self.n)


def choose(folds: Sequence[ProductSums], strengths: Sequence[float]) -> tuple[LinearHead, float]:
    """Return a head with the ridge strength that has the lowest held-out error, and the strength.

    ``folds``: at least two folds of whole groups, with the same origin.
    """
    whole = folds[0].combined(folds[1:])
    rests = [whole.combined([fold], -1) for fold in folds]
    errors = [
        sum(
            fold.squared_error(rest.fit(s)) * fold.n
            for fold, rest in zip(folds, rests, strict=True)
        )
        for s in strengths
    ]
    best = strengths[int(np.argmin(errors))]
    return whole.fit(best), best
