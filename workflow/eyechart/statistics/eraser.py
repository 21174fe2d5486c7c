"""Erase a concept from vectors by the smallest affine change: LEACE (Belrose et al. 2023).

With W = S^(-1/2), and the projection P onto the columns of W cov(x, z), z the one-hot classes, the
eraser

    r(x) = x - W^(-1) P W (x - mean)

makes cov(r(x), z) zero on the vectors it was fitted on, whatever S is, so no linear classifier does
better than a constant there. If S is the covariance of the vectors that will be erased, of which
those with a class may be a small part, no other affine map that does so changes them less. Of
vectors at several places, P projects onto the columns of all, so it is zero at each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NOTHING = 1e-9  # relative size of a value that is rounding


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
        """The dimensions that it removes."""
        return round(float(np.trace(self.matrix)))

    def variance_removed(self, covariance: np.ndarray) -> float:
        """Return which share of the total variance of vectors its change has."""
        changed = self.matrix @ covariance @ self.matrix.T
        return float(np.trace(changed) / np.trace(covariance))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return vectors (n, d) without the concept."""
        erased: np.ndarray = x - (x - self.mean) @ self.matrix.T
        return erased


def fit(x: np.ndarray, labels: np.ndarray, covariance: np.ndarray) -> Eraser:
    """Return the eraser of the classes ``labels`` (n,) of vectors ``x``.

    Parameters
    ----------
    x : shape (n, d), or (n, l, d)
        One vector of each example, or one at each of l places.
    covariance : shape (d, d)
        Of the vectors that will be erased.

    Raises
    ------
    ValueError
        If there is a single class, or the means of the classes do not differ.
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
    columns = columns[:, sizes > sizes[0] * NOTHING]  # at most k - 1 of a place differ from zero
    return Eraser(colour @ columns @ columns.T @ whiten, x.mean(axis=(0, 1)))


def fit_random(
    mean: np.ndarray, covariance: np.ndarray, rank: int, rng: np.random.Generator
) -> Eraser:
    """Return the eraser of a random subspace, drawn evenly where the vectors are white."""
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
