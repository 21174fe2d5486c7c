"""Style: the choice with the Gram matrix nearest to the reference's.

G = F^T F / p, for a region's p tokens F (p, d), records which features occur together regardless of
position. As in the source, features are not centred, so G contains the mean as well as the
variance. A token that is partly inside the region counts partly.

Source: Gatys, Ecker & Bethge 2016, section 2.2 (Gram matrices as style); Fu et al., "Hidden in
plain sight" (COLM 2025): the answer is the nearer choice in the last layer's patch features.
"""

import numpy as np


def score(
    reference: tuple[np.ndarray, np.ndarray] | None, choices: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, float]:
    """Return minus each choice's Gram-matrix distance from the reference, and the scale."""
    assert reference is not None
    return score_gram(reference, choices), gram_scale(reference, choices)


def score_gram(
    reference: tuple[np.ndarray, np.ndarray], choices: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Return minus the squared distance of each choice's Gram matrix from the reference's.

    Result: float64, shape (c,).

    Parameters
    ----------
    reference : tokens (p, d), and weights (p,) that sum to 1: 1 / p each if all are inside
    choices : tokens and weights of each choice

    Notes
    -----
    The distance is exact without a d x d matrix. The inner product of two Gram matrices is that of
    F1 F2^T with itself, so |G1 - G2|^2 = |F1 F1^T|^2 + |F2 F2^T|^2 - 2 |F1 F2^T|^2, where the rows
    of F are scaled by the square roots of their weights. If d is less than p, G is smaller and is
    computed.
    """
    scaled = [tokens * np.sqrt(weights)[:, None] for tokens, weights in (reference, *choices)]
    if scaled[0].shape[1] <= min(len(rows) for rows in scaled):
        grams = [rows.T @ rows for rows in scaled]
        return np.array([-((gram - grams[0]) ** 2).sum() for gram in grams[1:]])
    first, *rest = scaled
    own = _squared(first, first)
    return np.array([2 * _squared(first, rows) - _squared(rows, rows) - own for rows in rest])


def gram_scale(
    reference: tuple[np.ndarray, np.ndarray], choices: list[tuple[np.ndarray, np.ndarray]]
) -> float:
    """Return an upper bound on the squared norms that :func:`score_gram` subtracts."""
    return max(float(w @ (tokens**2).sum(1)) ** 2 for tokens, w in (reference, *choices))


def _squared(one: np.ndarray, two: np.ndarray) -> float:
    product = (one @ two.T).ravel()  # (p, q)
    return float(product @ product)
