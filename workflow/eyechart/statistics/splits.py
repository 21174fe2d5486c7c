"""Training and test splits, and folds, that never divide a group."""

from dataclasses import dataclass

import numpy as np

from eyechart.core.errors import UserError
from eyechart.core.randomness import seed_for
from eyechart.tables.minimum_items import FEWEST_TESTED


def check_groups(groups: np.ndarray, train: np.ndarray, where: str) -> None:
    """Raise a UserError that begins with ``where`` if a group is in both training and test."""
    both = np.intersect1d(groups[train], groups[~train])
    if len(both):
        raise UserError(
            f"{where}: group {str(both[0])!r} is in both training and test ({len(both)} in "
            "all), expected each group in one part"
        )


@dataclass(frozen=True)
class Usable:
    """The examples of a task that can be probed.

    Attributes
    ----------
    kept : bool, shape (n,)
        Whether an example's class occurs in at least as many training groups as there are folds. A
        class in fewer groups would be missing from the training or validation part of some fold.
    left_out : dict of int
        The number of examples of every other class.
    refusal : str
        A sentence that states why the task cannot be probed; empty if it can.
    """

    kept: np.ndarray
    left_out: dict[str, int]
    refusal: str


def usable(labels: np.ndarray, groups: np.ndarray, train: np.ndarray, folds: int) -> Usable:
    """Return which examples can be probed, given their labels and groups, str (n,).

    Parameters
    ----------
    train : bool, shape (n,)
        True for training, False for test.
    """
    learnt = np.unique(np.stack([labels[train], groups[train]]), axis=1)[0]
    names, counts = np.unique(learnt, return_counts=True)
    common = names[counts >= folds]
    kept = np.isin(labels, common)
    rare, sizes = np.unique(labels[~kept], return_counts=True)
    tested, refusal = len(np.unique(groups[kept & ~train])), ""
    if len(common) < 2:
        found = "only one class is" if len(common) else "no class is"
        refusal = f"{found} in at least {folds} training groups (probing.folds), expected two"
    elif tested < FEWEST_TESTED:
        refusal = f"{tested} groups are in the test set, expected at least {FEWEST_TESTED}"
    return Usable(kept, dict(zip(rare.tolist(), sizes.tolist(), strict=True)), refusal)


def grouped_folds(
    groups: np.ndarray, y: np.ndarray, folds: int, seed: int, task: str
) -> np.ndarray:
    """Assign whole groups to folds, balanced by class and by size.

    scikit-learn's ``StratifiedGroupKFold`` balances in the same way but draws its order from a
    random state, so a group's fold would depend on the positions of all other groups.

    Groups are processed in a random order seeded by (seed, task, group). Each goes to the fold with
    the fewest examples of its classes so far; ties go to the smallest fold.

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
