"""The odd one out: the image whose vector is least similar to the others.

Source: Fu et al., "Hidden in plain sight" (COLM 2025), after MOCHI (Bonnen et al. 2024): pairwise
similarity of image vectors. They do not define the vector; here it is the mean of an image's tokens
(readout ``mean``) or a single image's class token (``cls``).
"""

import numpy as np

from eyechart.readout.correspondence import cosines, mean_of


def score(
    reference: tuple[np.ndarray, np.ndarray] | None, choices: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, float]:
    """Return the dissimilarity of each choice's mean token to the others, and the scale."""
    return score_odd(np.stack([mean_of(*one) for one in choices])), 1.0


def score_odd(vectors: np.ndarray) -> np.ndarray:
    """Return minus the mean cosine of each vector with the others: float64, shape (c,).

    ``vectors``: ndarray, shape (c, d), c at least 2.
    """
    near = cosines(vectors)
    return -(near.sum(1) - near.diagonal()) / (len(vectors) - 1)
