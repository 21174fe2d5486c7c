"""The examples of one task: ids, labels, groups and types, checked and sorted by id."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from eyechart.core.errors import UserError, nearest
from eyechart.statistics.splits import check_groups, usable
from eyechart.tables import activations
from eyechart.tables.items import LABEL, SPLIT_RULES
from eyechart.tables.parquet import read_table


@dataclass(frozen=True)
class Examples:
    """A task's examples, training and test together, sorted by id.

    Attributes
    ----------
    ids : list of str, length n
    y : int64, shape (n,)
        Class codes 0 … k−1.
    classes : list of str, length k; sorted
    groups, types : str, shape (n,)
    train : bool, shape (n,); True for training, False for test
    left_out : number of examples of each class that is in too few training groups; these examples
        are left out
    refusal : reason why nothing can be probed; empty if probing is possible
    """

    ids: list[str]
    y: np.ndarray
    classes: list[str]
    groups: np.ndarray
    types: np.ndarray
    train: np.ndarray
    left_out: dict[str, int] = field(default_factory=dict)
    refusal: str = ""


def read_examples(
    items: Path,
    images: Path,
    scope: str,
    task: str,
    *,
    split: str,
    folds: int,
    dropped: Sequence[str] = (),
) -> Examples:
    """Read a task's examples: questions for scope ``item``, labelled images for scope ``image``.

    Examples are left out if their id is in ``dropped`` (no activations), if they have no label, or
    if their class is too rare. Raise a UserError if the task is unknown, or if a group is in both
    training and test.
    """
    path, id_name = (items, "item_id") if scope == "item" else (images, "image_id")
    column, trains, tested = SPLIT_RULES[split]
    table = read_table(path)
    if scope == "item":
        known, label = pc.unique(table["task"]).to_pylist(), "answer"
    else:
        known = [n.removeprefix(LABEL) for n in table.column_names if n.startswith(LABEL)]
        label = LABEL + task
    if task not in known:
        raise UserError(f"{path}: no {scope} task {task!r}; {nearest(task, known)}")
    if scope == "item":
        table = table.filter(pc.equal(table["task"], task))
    table = table.filter(pc.is_in(table[column], pa.array([trains, tested])))
    table = table.filter(pc.is_valid(table[label]))
    rows = table.filter(activations.not_dropped(table[id_name], dropped)).sort_by(id_name)
    train, groups = strings(rows[column]) == trains, strings(rows["group"])
    check_groups(groups, train, f"{path}: task {task!r}, split {split!r}")
    answers = strings(rows[label])
    found = usable(answers, groups, train, folds)
    kept = found.kept
    classes, y = np.unique(answers[kept], return_inverse=True)
    return Examples(
        ids=np.array(rows[id_name].to_pylist(), dtype=object)[kept].tolist(),
        y=y.astype(np.int64),
        classes=[str(c) for c in classes],
        groups=groups[kept],
        types=strings(rows["type"])[kept],
        train=train[kept],
        left_out=found.left_out,
        refusal=found.refusal,
    )


def commonest(
    examples: Examples, types: np.ndarray | None, weights: np.ndarray | None
) -> np.ndarray:
    """Return the most common training class of each example's type, (n,)."""
    _, code = np.unique(examples.types if types is None else types, return_inverse=True)
    code = np.zeros_like(code) if types is None else code
    weights = np.ones(len(code)) if weights is None else weights
    counts = np.zeros((code.max() + 1, len(examples.classes)))
    train = examples.train
    np.add.at(counts, (code[train], examples.y[train]), weights[train])
    found: np.ndarray = counts.argmax(1)[code]
    return found


def strings(column: pa.ChunkedArray) -> np.ndarray:
    """Return a text column as an array, (n,)."""
    return np.array(column.to_pylist(), dtype=np.str_)


def pooled_columns(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a manifest's columns with one vector per row: all spans but ``image_tokens``."""
    return [c for c in manifest["columns"] if c["span"] != "image_tokens"]


def read_rows(manifest: Path, ids: list[str]) -> np.ndarray:
    """Return the activation row of each id, shape (n,).

    Raise a UserError if an id has no activations.
    """
    row_of = {i: row for row, i in enumerate(activations.read_ids(manifest))}
    absent = [i for i in ids if i not in row_of]
    if absent:
        raise UserError(
            f"{manifest}: no activations of {absent[0]!r} ({len(absent)} in total); "
            "extract this dataset again"
        )
    return np.array([row_of[i] for i in ids])


def read_inputs(manifest: Path, name: str, rows: np.ndarray, device: torch.device) -> torch.Tensor:
    """Read one column's rows as float32, shape (n, d), on the device."""
    return torch.from_numpy(activations.read_column(manifest, name)[rows]).to(device)
