"""Correspondence: the choice whose features are most similar to those at the reference.

Source: Fu et al., "Hidden in plain sight" (COLM 2025): the cosine of bilinearly interpolated patch
features at REF and at each of the marked points; the highest is the answer. Features are
neither centred nor scaled.
"""

from collections.abc import Sequence

import numpy as np


def score(
    reference: tuple[np.ndarray, np.ndarray] | None, choices: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, float]:
    """Return the cosine of the reference's mean token with each choice's; and the scale."""
    assert reference is not None
    vectors = np.stack([mean_of(*one) for one in choices])
    return score_points(mean_of(*reference), vectors), 1.0


def score_points(reference: np.ndarray, choices: np.ndarray) -> np.ndarray:
    """Return the cosine of the reference with each choice: float64, shape (c,).

    Parameters
    ----------
    reference : ndarray, shape (d,)
    choices : ndarray, shape (c, d)
    """
    return cosines(np.concatenate([reference[None], choices]))[0, 1:]


def cosines(vectors: np.ndarray) -> np.ndarray:
    """Return all pairwise cosines of vectors (k, d), shape (k, k); 0 for a vector of zeros."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, length, out=np.zeros(vectors.shape), where=length > 0)
    return unit @ unit.T


def mean_of(tokens: np.ndarray, weights: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the weighted mean of tokens (m, d), weights (m,) of sum 1: shape (d,)."""
    return np.asarray(weights) @ tokens
