"""Correspondence: the choice whose features are most similar to the reference's.

Source: Fu et al., "Hidden in plain sight" (COLM 2025): the answer is the marked point whose
bilinearly interpolated patch features have the highest cosine with those at REF. Features are
neither centred nor scaled.
"""

from collections.abc import Sequence

import numpy as np


def score(
    reference: tuple[np.ndarray, np.ndarray] | None, choices: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, float]:
    """Return the cosine of the reference's mean token with each choice's, and the scale."""
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
    """Return all pairwise cosines (k, k) of vectors (k, d); 0 for zero vectors."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, length, out=np.zeros(vectors.shape), where=length > 0)
    return unit @ unit.T


def mean_of(tokens: np.ndarray, weights: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the weighted mean (d,) of tokens (m, d), with weights (m,) that sum to 1."""
    return np.asarray(weights) @ tokens
