"""Splits into training and test part, and folds, that never divide a group."""

import numpy as np

from eyechart.core.errors import UserError
from eyechart.core.randomness import seed_for


def check_split(
    y: np.ndarray,
    classes: list[str],
    groups: np.ndarray,
    train: np.ndarray,
    *,
    folds: int,
    where: str,
) -> None:
    """Raise a UserError for a split on which probes would be meaningless.

    Parameters
    ----------
    y : int, shape (n,)
    classes : list of str, length k
    groups : str, shape (n,)
    train : bool, shape (n,)
        True trains, False is tested.
    folds : int
    where : str
        Opens the error sentence: file and task.

    Raises
    ------
    UserError
        If a part is empty, a group is in both parts, there is only one class, a class is absent
        from training or has fewer training examples than folds, or groups are fewer than folds.
    """
    for side, rows in (("training", train), ("test", ~train)):
        if not rows.any():
            raise UserError(f"{where}: the {side} part is empty, expected at least one example")
    both = np.intersect1d(groups[train], groups[~train])
    if len(both):
        raise UserError(
            f"{where}: group {str(both[0])!r} is in training and test ({len(both)} such), "
            "expected each group in one part"
        )
    if len(classes) < 2:
        raise UserError(f"{where}: a single class {classes[0]!r}, expected at least two")
    counts = np.bincount(y[train], minlength=len(classes))
    for name, count in zip(classes, counts, strict=True):
        if count == 0:
            raise UserError(f"{where}: class {name!r} is absent from training, but is tested")
        if count < folds:
            raise UserError(
                f"{where}: class {name!r} has {count} training examples, expected at least {folds},"
                " the number of folds"
            )
    distinct = len(np.unique(groups[train]))
    if distinct < folds:
        raise UserError(
            f"{where}: {distinct} training groups, expected at least {folds}, the number of folds"
        )


def grouped_folds(
    groups: np.ndarray, y: np.ndarray, folds: int, seed: int, task: str
) -> np.ndarray:
    """Assign whole groups to folds, balanced by class and by size.

    scikit-learn's ``StratifiedGroupKFold`` balances alike, but draws its order from a random state:
    a group's fold would depend on the positions of all other groups, and results would change.

    Groups are taken in an order drawn by (seed, task, group); each goes to the fold with the fewest
    examples of its classes so far, then to the smallest fold.

    Parameters
    ----------
    groups : str, shape (n,)
    y : int, shape (n,)
    folds : int
    seed : int
    task : str

    Returns
    -------
    ndarray of int64, shape (n,)
        The fold in which each row is held out.
    """
    distinct, code = np.unique(groups, return_inverse=True)
    table = np.zeros((len(distinct), int(y.max()) + 1), dtype=np.int64)  # (groups, k)
    np.add.at(table, (code, y), 1)
    keys = [seed_for("folds", seed, task, str(g)) for g in distinct]
    held = np.zeros((folds, table.shape[1]), dtype=np.int64)  # (folds, k)
    fold_of = np.empty(len(distinct), dtype=np.int64)
    for g in np.argsort(keys, kind="stable"):
        crowding = held @ table[g]
        fold = min(range(folds), key=lambda f: (crowding[f], held[f].sum()))
        fold_of[g] = fold
        held[fold] += table[g]
    return fold_of[code]
