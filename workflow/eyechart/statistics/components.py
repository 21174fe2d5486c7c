"""Connected components of rows that share keys."""

from collections.abc import Hashable, Sequence

import numpy as np


def connected(keys: Sequence[Sequence[Hashable]]) -> np.ndarray:
    """Return the index of each row's component, int (n,); rows with a common key share one.

    >>> connected([["b"], ["a", "c"], ["c", "b"], ["d"]]).tolist()
    [0, 0, 0, 1]
    """
    from scipy.sparse import coo_array  # noqa: PLC0415 - slow to import
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    if not keys:
        return np.empty(0, int)
    number = {key: i for i, key in enumerate(dict.fromkeys(k for row in keys for k in row))}
    row = [i for i, own in enumerate(keys) for _ in own]
    column = [len(keys) + number[key] for own in keys for key in own]
    size = len(keys) + len(number)
    edges = coo_array((np.ones(len(row), bool), (row, column)), shape=(size, size))
    _, label = connected_components(edges, directed=False)
    found: np.ndarray = label[: len(keys)]
    return found
