"""Erase a concept from vectors with the smallest affine change: LEACE (Belrose et al. 2023).

Let W = S^(-1/2), z the one-hot classes, and P the projection onto the columns of W cov(x, z). The
eraser

    r(x) = x - W^(-1) P W (x - mean)

makes cov(r(x), z) zero on the vectors it was fitted on, for any S, so no linear classifier beats a
constant there. If S is the covariance of the vectors to be erased, no other affine map with this
property changes them less; it is enough if few of these vectors have a class. For vectors at
several positions, P projects onto the columns of all positions, so the covariance is zero at each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NOTHING = 1e-9  # relative size below which a value is rounding error


@dataclass(frozen=True)
class Eraser:
    """An affine eraser r(x) = x - matrix (x - mean).

    Attributes
    ----------
    matrix : ndarray, float64, shape (d, d)
    mean : ndarray, float64, shape (d,)
    """

    matrix: np.ndarray
    mean: np.ndarray

    @property
    def rank(self) -> int:
        """The number of dimensions removed."""
        return round(float(np.trace(self.matrix)))

    def variance_removed(self, covariance: np.ndarray) -> float:
        """Return the share of the vectors' total variance that is removed."""
        changed = self.matrix @ covariance @ self.matrix.T
        return float(np.trace(changed) / np.trace(covariance))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return vectors (n, d) without the concept."""
        erased: np.ndarray = x - (x - self.mean) @ self.matrix.T
        return erased


def fit(x: np.ndarray, labels: np.ndarray, covariance: np.ndarray) -> Eraser:
    """Return the eraser of the classes ``labels`` (n,), fitted on vectors ``x``.

    Parameters
    ----------
    x : shape (n, d), or (n, l, d)
        One vector per example, or one at each of l positions.
    covariance : shape (d, d)
        The covariance of the vectors to be erased.

    Raises
    ------
    ValueError
        If there is a single class, or if the class means do not differ.
    """
    x = np.asarray(x, dtype=np.float64)
    x = x if x.ndim == 3 else x[:, None]
    classes, y = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"there is only one class, {str(classes[0])!r}")
    z = np.eye(len(classes))[y]
    between = np.einsum("nld,nk->dlk", x - x.mean(axis=0), z - z.mean(axis=0)) / len(x)
    between = between.reshape(x.shape[-1], -1)
    if not between.any():
        raise ValueError("the vectors do not differ by class")
    whiten, colour = _whitening(covariance)
    columns, sizes, _ = np.linalg.svd(whiten @ between, full_matrices=False)
    columns = columns[:, sizes > sizes[0] * NOTHING]  # at most k - 1 per position are nonzero
    return Eraser(colour @ columns @ columns.T @ whiten, x.mean(axis=(0, 1)))


def fit_random(
    mean: np.ndarray, covariance: np.ndarray, rank: int, rng: np.random.Generator
) -> Eraser:
    """Return the eraser of a random subspace, drawn uniformly after whitening."""
    whiten, colour = _whitening(covariance)
    columns, _ = np.linalg.qr(rng.normal(size=(len(mean), rank)))
    return Eraser(colour @ columns @ columns.T @ whiten, mean)


def _whitening(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return S^(-1/2) and S^(1/2) of a covariance S."""
    values, axes = np.linalg.eigh(covariance)
    if values[-1] <= 0:
        raise ValueError("the vectors do not differ")
    values = np.maximum(values, values[-1] * NOTHING)
    whiten, colour = ((axes * values**power) @ axes.T for power in (-0.5, 0.5))
    return whiten, colour
