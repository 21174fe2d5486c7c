"""How well each readout answers: accuracies with intervals, beside what the model itself says."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from eyechart.core.address import sort_key
from eyechart.core.errors import UserError
from eyechart.core.randomness import generator
from eyechart.readout.choose import Prediction
from eyechart.readout.items import ReadoutItem
from eyechart.statistics.resample import Resampled, mean, per_unit
from eyechart.statistics.testing import benjamini_hochberg, mcnemar_exact
from eyechart.tables.parquet import read_table
from eyechart.tables.readouts import READ, SHUFFLED
from eyechart.tables.regions import SEEN

Row: TypeAlias = dict[str, Any]
Said: TypeAlias = dict[str, tuple[int, int]]  # by item: how often right, in how many orders

SIGHTED = "sighted"
_ANSWERS = ["model", "dataset", "condition", "item_id", "order", "predicted"]


def read_sighted(path: Path, names: dict[str, str], readings: Iterable[ReadoutItem]) -> Said:
    """Read how often the model itself answers each item rightly, over the orders of its choices.

    Raises
    ------
    UserError
        If the table is of another model, dataset or condition, or, though it has rows, lacks an
        item that is read.
    """
    table = pl.DataFrame(read_table(path, _ANSWERS))
    for column, value in {**names, "condition": SIGHTED}.items():
        other = table.filter(pl.col(column) != value)
        if len(other):
            raise UserError(f"{path}: {column} is {other[column][0]!r}, expected {value!r}")
    truth = {r.item_id: r.answer for r in readings if r.answer is not None}
    found: Said = {}
    for item, predicted in table.select("item_id", "predicted").iter_rows():
        if item in truth:
            right, orders = found.get(item, (0, 0))
            found[item] = right + (predicted == truth[item]), orders + 1
    lacking = sorted(truth.keys() - found.keys())
    if len(table) and lacking:
        raise UserError(f"{path}: item {lacking[0]!r} is not answered, but read")
    return found


def score_readouts(
    predictions: list[Prediction],
    readings: list[ReadoutItem],
    said: Said,
    names: dict[str, str],
    draws: int,
    seed: int,
) -> list[Row]:
    """Return a row per task, way to see, address and readout, of items whose answer is known.

    A task's draws of the bootstrap are those of the scores of answers, so that intervals of
    readouts and of answers are of the same resampled items.

    Parameters
    ----------
    predictions : list of Prediction
    readings : list of ReadoutItem
        All of the dataset.
    said : dict
        Empty where the model does not answer.
    names : dict
        ``model`` and ``dataset``, the same in every row.
    draws : int
    seed : int

    Returns
    -------
    list of dict
        Rows of the schema ``READOUTS``. ``q`` is over all tests of the table; controls are not
        compared with answers.
    """
    answered = [p for p in predictions if p.reading.answer is not None]
    rows = []
    for task, of_task in _grouped(answered, lambda p: (p.reading.task,)):
        items = {r.item_id: r.group for r in readings if r.task == task[0]}
        place = {item: i for i, item in enumerate(sorted(items))}
        groups = np.array([items[item] for item in place])
        rng = generator("scores", seed, names["dataset"], task[0])
        resampled = Resampled(groups, draws, rng)
        for key, own in _grouped(of_task, lambda p: (p.reading.seen, p.address, p.readout)):
            unit = np.array([place[p.reading.item_id] for p in own])
            head = dict(zip(("seen", "address", "readout"), key, strict=True))
            row = {**names, "task": task[0], **head, **_row(own, unit, groups, resampled)}
            rows.append(row | (_compare(own, groups[unit], said) if said else {}))
    tested = [row for row in rows if row.get("p") is not None]
    q = benjamini_hochberg(np.array([row["p"] for row in tested], dtype=float))
    for row, value in zip(tested, q.tolist(), strict=True):
        row["q"] = value
    return sorted(rows, key=order_of)


def order_of(row: Row) -> tuple[Any, ...]:
    """Return the sort key of rows: task, way to see, place in the model, readout."""
    own = (sort_key(row["address"]), row["readout"])
    return list(READ).index(row["task"]), SEEN.index(row["seen"]), *own


def _row(own: list[Prediction], unit: np.ndarray, groups: np.ndarray, resampled: Resampled) -> Row:
    sums = per_unit(_right(own))
    low, high = resampled.interval(sums, unit, mean, norm=False)
    return {
        "value": float(mean(sums.sum(0)[None])[0]),
        "ci_low": low,
        "ci_high": high,
        "chance": float(np.mean([1 / len(p.reading.choices) for p in own])),
        "n": len(own),
        "groups": len(np.unique(groups[unit])),
    }


def _compare(own: list[Prediction], groups: np.ndarray, said: Said) -> Row:
    """Return the sighted accuracy on the same items and, but for controls, the paired test."""
    right, orders = np.array([said[p.reading.item_id] for p in own]).T
    answer = float((right / orders).mean())
    if own[0].readout.endswith(SHUFFLED):
        return {"answer": answer}
    whole = int(np.lcm.reduce(orders))  # sums of whole numbers are exact
    one, two = _right(own) * whole, right * (whole // orders)
    difference = float((one - two).mean() / whole)
    return {"answer": answer, "difference": difference, "p": mcnemar_exact(one, two, groups)}


def _right(own: list[Prediction]) -> np.ndarray:
    return np.array([p.chosen == p.reading.answer for p in own], dtype=float)


def _grouped(predictions: list[Prediction], key: Any) -> list[tuple[Any, list[Prediction]]]:
    ordered = sorted(predictions, key=lambda p: (key(p), p.reading.item_id))
    return [(k, list(members)) for k, members in groupby(ordered, key)]
