"""Labels of the control task, which carry no information about the examples."""

import numpy as np

from eyechart.core.randomness import seed_for


def type_labels(types: np.ndarray, y: np.ndarray, seed: int, task: str) -> np.ndarray:
    """Return each example's control label: a random one per type, in the task's proportions.

    A probe can solve this task only by memorising types, so its accuracy measures the probe.

    Types are placed on a line in a random order seeded by (seed, task, type), each as wide as its
    number of examples. The line is divided in proportion to the classes, and each type gets the
    class at its midpoint. So the control's majority share is as close to the task's as undivided
    types allow, even with few types.

    Result: int64, shape (n,).

    Source: Hewitt & Liang 2019, "Designing and Interpreting Probes with Control Tasks", section 2.
    They draw labels independently, so that with few types the majority share can be anything.

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
