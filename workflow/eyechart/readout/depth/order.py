"""Depth order: the box whose mean predicted depth is least is nearer.

Source: Fu et al., "Hidden in plain sight" (COLM 2025): a head trained on depth maps, then mean
predicted depth in the boxes.
"""

import numpy as np


def score_depth(boxes: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return minus the mean depth of each box: nearer scores higher.

    Parameters
    ----------
    boxes : list of tuple of ndarray
        Depths of the tokens in a box, (m,), and the shares of the box that they lie in, (m,).

    Returns
    -------
    ndarray, float64, shape (c,)
    """
    return np.array([-(weights @ depths) for depths, weights in boxes])
