"""Labels of the control task: the same examples, with labels that carry no information."""

import numpy as np

from eyechart.core.randomness import seed_for


def type_labels(types: np.ndarray, y: np.ndarray, seed: int, task: str) -> np.ndarray:
    """Return one fixed random label per input type, with the task's shares of labels.

    A probe can solve this task only by memorising types, so its accuracy measures the probe.

    Types are laid side by side in an order drawn by name (seed, task, type), each as wide as it has
    examples; a type gets the class in whose share of this line its middle is. So the control has
    the task's majority share as nearly as whole types allow, however few there are.

    Result: int64, shape (n,).

    Source: Hewitt & Liang 2019, "Designing and Interpreting Probes with Control Tasks", section 2;
    there labels are drawn independently, so that few types may get any majority share.

    Parameters
    ----------
    types : str, shape (n,)
    y : int, shape (n,); class codes 0 … k−1 of the real task
    """
    distinct, inverse, sizes = np.unique(types, return_inverse=True, return_counts=True)
    order = np.argsort([seed_for("control_type", seed, task, str(t)) for t in distinct])
    ends = np.cumsum(sizes[order])
    classes = np.argsort([seed_for("control_class", seed, task, c) for c in range(y.max() + 1)])
    bounds = np.cumsum(np.bincount(y)[classes])
    labels = np.empty(len(distinct), dtype=np.int64)
    labels[order] = classes[np.searchsorted(bounds, ends - sizes[order] / 2, side="right")]
    return labels[inverse]
