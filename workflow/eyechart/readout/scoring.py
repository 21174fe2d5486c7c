"""Compute accuracies of readouts with intervals, and compare them with the model's responses."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from eyechart.core.address import sort_key
from eyechart.core.errors import UserError
from eyechart.readout.choose import Prediction
from eyechart.readout.items import ReadoutItem
from eyechart.statistics.intervals import share_interval
from eyechart.statistics.testing import benjamini_hochberg, mcnemar_exact
from eyechart.tables.read_responses import read_predicted
from eyechart.tables.readouts import SHUFFLED, TASKS
from eyechart.tables.regions import SEEN

Row: TypeAlias = dict[str, Any]
Sighted: TypeAlias = dict[str, tuple[int, int]]  # by item: correct responses, orders

SIGHTED = "sighted"


def read_sighted(path: Path, names: dict[str, str], items: Iterable[ReadoutItem]) -> Sighted:
    """Load the number of correct responses to each item over the orders of its choices.

    Raise a UserError if the table belongs to another model, dataset or condition, or if it has rows
    but lacks an item that is read out.
    """
    table = read_predicted(path, {**names, "condition": SIGHTED})
    truth = {r.item_id: r.answer for r in items if r.answer is not None}
    found: Sighted = {}
    for item, predicted in table.select("item_id", "predicted").iter_rows():
        if item in truth:
            right, orders = found.get(item, (0, 0))
            found[item] = right + (predicted == truth[item]), orders + 1
    missing = sorted(truth.keys() - found.keys())
    if len(table) and missing:
        raise UserError(f"{path}: item {missing[0]!r} is read out, but not answered")
    return found


def score_readouts(
    predictions: list[Prediction], items: list[ReadoutItem], sighted: Sighted, names: dict[str, str]
) -> list[Row]:
    """Return one row per task, ``seen``, address and readout, over items with a known answer.

    Result: rows of the schema ``READOUTS``. Intervals are computed as for verdicts, so they keep
    their coverage with few groups. ``q`` is corrected over all tests of the table; controls are not
    compared with responses.

    Parameters
    ----------
    predictions : choices of all readouts and controls
    items : all items of the dataset
    sighted : correct responses; empty if the model does not answer
    names : ``model`` and ``dataset``, equal in all rows
    """
    answered = [p for p in predictions if p.item.answer is not None]
    rows = []
    group_of = {(r.task, r.item_id): r.group for r in items}
    for key, own in _grouped(answered, lambda p: (p.item.task, p.item.seen, p.address, p.readout)):
        groups = np.array([group_of[key[0], p.item.item_id] for p in own])
        head = dict(zip(("task", "seen", "address", "readout"), key, strict=True))
        compared = _compare(own, groups, sighted) if sighted else {}
        rows.append({**names, **head, **_row(own, groups), **compared})
    tested = [row for row in rows if row.get("p") is not None]
    q = benjamini_hochberg(np.array([row["p"] for row in tested], dtype=float))
    for row, value in zip(tested, q.tolist(), strict=True):
        row["q"] = value
    return sorted(rows, key=order_of)


def order_of(row: Row) -> tuple[Any, ...]:
    """Return the sort key of rows: task, ``seen``, address, readout."""
    own = (sort_key(row["address"]), row["readout"])
    return list(TASKS).index(row["task"]), SEEN.index(row["seen"]), *own


def _row(own: list[Prediction], groups: np.ndarray) -> Row:
    right = _right(own)
    low, high = share_interval(right, groups)
    return {
        "value": float(right.mean()),
        "ci_low": low,
        "ci_high": high,
        "chance": float(np.mean([1 / len(p.item.choices) for p in own])),
        "n": len(own),
        "groups": len(np.unique(groups)),
    }


def _compare(own: list[Prediction], groups: np.ndarray, sighted: Sighted) -> Row:
    """Return the sighted accuracy on the same items and, except for controls, a paired test."""
    right, orders = np.array([sighted[p.item.item_id] for p in own]).T
    answer = float((right / orders).mean())
    if own[0].readout.endswith(SHUFFLED):
        return {"answer": answer}
    whole = int(np.lcm.reduce(orders))  # sums of integers are exact
    one, two = _right(own) * whole, right * (whole // orders)
    difference = float((one - two).mean() / whole)
    return {"answer": answer, "difference": difference, "p": mcnemar_exact(one, two, groups)}


def _right(own: list[Prediction]) -> np.ndarray:
    return np.array([p.chosen == p.item.answer for p in own], dtype=float)


def _grouped(predictions: list[Prediction], key: Any) -> list[tuple[Any, list[Prediction]]]:
    ordered = sorted(predictions, key=lambda p: (key(p), p.item.item_id))
    return [(k, list(members)) for k, members in groupby(ordered, key)]
