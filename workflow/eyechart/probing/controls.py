"""Labels of control tasks: the same examples and classes, with labels that carry no information.

Both are drawn by name (seed, task, type or id), so they depend neither on row order nor on process.
"""

import numpy as np

from eyechart.core.randomness import seed_for

_RANGE = 2.0**63  # seed_for returns 63 bits; divided by this, they are uniform in [0, 1)


def type_labels(
    types: np.ndarray, y: np.ndarray, train: np.ndarray, seed: int, task: str
) -> np.ndarray:
    """Return one fixed random label per input type, drawn by the frequencies of training labels.

    A probe can solve this task only by memorising types, so its accuracy measures the probe.

    Parameters
    ----------
    types : ndarray of str, shape (n,)
    y : ndarray of int, shape (n,)
        Class codes 0 … k−1 of the real task.
    train : ndarray of bool, shape (n,)
        Rows whose labels determine the frequencies.
    seed : int
    task : str

    Returns
    -------
    ndarray of int64, shape (n,)

    Notes
    -----
    Source: Hewitt & Liang 2019, "Designing and Interpreting Probes with Control Tasks", section 2.
    """
    distinct, inverse = np.unique(types, return_inverse=True)
    uniform = np.array([seed_for("control_type", seed, task, str(t)) / _RANGE for t in distinct])
    bounds = np.cumsum(np.bincount(y[train]) / train.sum())
    labels = np.searchsorted(bounds[:-1], uniform, side="right")
    return labels[inverse].astype(np.int64)


def permuted_labels(ids: list[str], y: np.ndarray, seed: int, task: str) -> np.ndarray:
    """Return the labels permuted over all examples, training and test together.

    Parameters
    ----------
    ids : list of str, length n
        Sorted and distinct.
    y : ndarray of int, shape (n,)
    seed : int
    task : str

    Returns
    -------
    ndarray of int64, shape (n,)

    Notes
    -----
    Source: VLM-Lens (arXiv 2510.02292), its probing control; there the permutation is unseeded.
    """
    keys = [seed_for("control_permutation", seed, task, i) for i in ids]
    permuted = np.empty_like(y)
    permuted[np.argsort(keys, kind="stable")] = y
    return permuted.astype(np.int64)
