"""The odd one out: the picture whose vector is least like the others'.

Source: Fu et al., "Hidden in plain sight" (COLM 2025), after MOCHI (Bonnen et al. 2024): pairwise
similarity of image vectors. How a vector is made of a picture is not told there; here it is the
mean of its tokens (readout ``mean``) or, of a picture by itself, its class token (``cls``).
"""

import numpy as np

from eyechart.readout.correspondence import cosines


def score_odd(vectors: np.ndarray) -> np.ndarray:
    """Return minus the mean cosine of each vector with the others.

    Parameters
    ----------
    vectors : ndarray, shape (c, d), c at least 2

    Returns
    -------
    ndarray, float64, shape (c,)
    """
    near = cosines(vectors)
    return -(near.sum(1) - near.diagonal()) / (len(vectors) - 1)
