"""A linear depth head: ridge regression of tokens' depths, in closed form from summed products.

Tokens pass by once; folds are left out by subtracting their sums, so nothing is kept but d x d
matrices, however many pictures there are. scikit-learn's ``Ridge`` needs all tokens in memory; a
test holds this one against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve

SAME = 1e-10  # of its squared mean: a feature whose variance is less is constant in float16


@dataclass(frozen=True)
class Linear:
    """Depth of a token: ``weight @ token + bias``."""

    weight: np.ndarray  # (d,)
    bias: float

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        """Return the depths (t,) of tokens (t, d)."""
        return np.asarray(tokens.astype(np.float64) @ self.weight + self.bias)


class Sums:
    """What ridge regression needs of tokens x (t, d) and depths y (t,): their products, summed.

    Products are taken about ``origin`` (d,), a token that is near the mean: a feature that is large
    and hardly varies would else lose its variance to rounding.
    """

    def __init__(self, origin: np.ndarray):
        d = len(origin)
        self.origin = origin
        self.n, self.y, self.yy = 0, 0.0, 0.0
        self.x, self.xy, self.xx = np.zeros(d), np.zeros(d), np.zeros((d, d))

    def add(self, tokens: np.ndarray, depths: np.ndarray) -> None:
        """Count in tokens (t, d) and their depths (t,)."""
        x = tokens.astype(np.float64) - self.origin
        self.n += len(x)
        self.y += float(depths.sum())
        self.yy += float(depths @ depths)
        self.x += x.sum(0)
        self.xy += depths @ x
        self.xx += x.T @ x

    def combined(self, others: Sequence["Sums"], sign: int = 1) -> "Sums":
        """Return these sums with others added, or taken away."""
        found = Sums(self.origin)
        for name in ("n", "y", "yy", "x", "xy", "xx"):
            rest = sum(getattr(other, name) for other in others)
            setattr(found, name, getattr(self, name) + sign * rest)
        return found

    def fit(self, strength: float) -> Linear:
        """Return the head of a ridge strength, on features scaled to a variance of 1.

        ``strength`` is relative to that variance: with 1, a feature that alone tells the depth gets
        half of its weight.
        """
        x, y = self.x / self.n, self.y / self.n
        spread = self.xx / self.n - np.outer(x, x)
        variance = spread.diagonal()
        alive = variance > SAME * (x + self.origin) ** 2
        weight = np.zeros(len(x))
        if alive.any():
            scale = np.sqrt(variance[alive])
            near = spread[np.ix_(alive, alive)] / np.outer(scale, scale)
            near[np.diag_indices_from(near)] += strength
            towards = (self.xy / self.n - x * y)[alive] / scale
            weight[alive] = solve(near, towards, assume_a="pos") / scale
        return Linear(weight, float(y - weight @ (x + self.origin)))

    def squared_error(self, head: Linear) -> float:
        """Return the mean squared error of a head on what these sums were made of."""
        w, b = head.weight, head.bias + float(head.weight @ self.origin)
        total = self.yy - 2 * (w @ self.xy) - 2 * b * self.y + w @ self.xx @ w
        return float((total + 2 * b * (w @ self.x) + self.n * b * b) / self.n)


def choose(folds: Sequence[Sums], strengths: Sequence[float]) -> tuple[Linear, float]:
    """Return the head of the ridge strength with the least error on folds left out, and the strength.

    Parameters
    ----------
    folds : sequence of Sums
        Of groups that are not split, about one origin; at least two.
    strengths : sequence of float
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
