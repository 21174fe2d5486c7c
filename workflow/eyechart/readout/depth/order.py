"""Depth order: the nearer box has the smaller mean predicted depth.

Source: Fu et al., "Hidden in plain sight" (COLM 2025), who train a head on depth maps and average
its predictions in each box.
"""

import numpy as np


def score(
    reference: tuple[np.ndarray, np.ndarray] | None, choices: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, float]:
    """Return minus the mean depth of each choice, from depths (m, 1), and the scale."""
    scores = score_depth([(depths[:, 0], weights) for depths, weights in choices])
    return scores, float(np.abs(scores).max())


def score_depth(boxes: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return minus the mean depth of each box, so that the nearer box scores higher.

    Result: float64, shape (c,).

    ``boxes``: by box, its tokens' depths, (m,), and the share of the box that each covers, (m,).
    """
    return np.array([-(weights @ depths) for depths, weights in boxes])
