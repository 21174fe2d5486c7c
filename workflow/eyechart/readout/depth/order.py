"""Depth order: the nearer box is the one with the smaller mean predicted depth.

Source: Fu et al., "Hidden in plain sight" (COLM 2025): a head trained on depth maps, then mean
predicted depth in the boxes.
"""

import numpy as np


def score(
    reference: tuple[np.ndarray, np.ndarray] | None, choices: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, float]:
    """Return minus the mean depth in each choice, of depths (m, 1); and the scale."""
    scores = score_depth([(depths[:, 0], weights) for depths, weights in choices])
    return scores, float(np.abs(scores).max())


def score_depth(boxes: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return minus the mean depth of each box, so that the nearer scores higher.

    Result: float64, shape (c,).

    ``boxes``: depths of the tokens in a box, (m,), and the share of the box that each covers, (m,).
    """
    return np.array([-(weights @ depths) for depths, weights in boxes])
