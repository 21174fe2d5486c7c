"""Distributions of true and predicted answers, and of their positions among the options."""

from typing import Any

import numpy as np

from eyechart.tables.response_arrays import AnsweredItems, ConditionResponses


def distributions(
    asked: AnsweredItems, said: ConditionResponses, task: np.ndarray
) -> list[dict[str, Any]]:
    """Return the rows of one condition and task, without the columns that all rows share.

    Items without a known answer count only among the predictions; where no answer is known,
    ``truth`` is null.

    Result: ``kind`` (``choice`` or ``place``), ``answer`` (a choice's text, or a position from
    "1"), ``truth, predicted`` (shares that sum to 1) and ``n`` items; answers that occur in neither
    are left out.

    Parameters
    ----------
    task : bool, shape (n,); which items are of the task
    """
    unit = np.flatnonzero(task & (asked.c > 0))
    if not len(unit):
        return []
    truth = asked.truth[asked.item]
    places = [str(place + 1) for place in range(int(asked.c.max()))]
    kinds = {
        "choice": (asked.vocabulary, asked.shares(truth), asked.shares(said.predicted)),
        "place": (places, asked.place_shares(truth), asked.place_shares(said.predicted)),
    }
    rows = []
    for kind, (names, *shares) in kinds.items():
        true, predicted = (np.asarray(each[unit].sum(0)) for each in shares)
        known = true.sum()
        for i in np.flatnonzero((true > 0) | (predicted > 0)):
            own = {"kind": kind, "answer": names[i], "n": len(unit)}
            share = float(true[i] / known) if known else None
            rows.append(own | {"truth": share, "predicted": float(predicted[i] / len(unit))})
    return rows
