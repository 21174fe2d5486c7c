"""Find distinctive points spread over an image: corners.

Source: the smaller eigenvalue of the structure tensor, Shi & Tomasi, CVPR 1994.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

_WIDTH = 2.0  # of the window, in px


def strength(grey: np.ndarray) -> np.ndarray:
    """Return the corner strength of every pixel: the structure tensor's smaller eigenvalue.

    Parameters
    ----------
    grey : ndarray of float, shape (h, w)

    Returns
    -------
    ndarray of float64, shape (h, w)
    """
    down, across = np.gradient(gaussian_filter(grey.astype(np.float64), 1.0))
    xx, yy, xy = (gaussian_filter(p, _WIDTH) for p in (across**2, down**2, across * down))
    return (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2)


def corners(grey: np.ndarray, cells: int) -> np.ndarray:
    """Return the strongest pixel per grid cell, restricted to the stronger half of them.

    Parameters
    ----------
    grey : ndarray of float, shape (h, w)
    cells : int
        Number of cells along the longer side.

    Returns
    -------
    ndarray of int64, shape (n, 2)
        x and y pixel indices, strongest first.
    """
    found = strength(grey)
    step = max(max(grey.shape) // cells, 1)
    best = []
    for top in range(0, grey.shape[0], step):
        for left in range(0, grey.shape[1], step):
            cell = found[top : top + step, left : left + step]
            y, x = np.unravel_index(int(cell.argmax()), cell.shape)
            best.append((float(cell[y, x]), left + int(x), top + int(y)))
    best.sort(key=lambda one: (-one[0], one[1:]))
    return np.array([one[1:] for one in best[: max((len(best) + 1) // 2, 1)]], np.int64)
