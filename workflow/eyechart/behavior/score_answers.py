"""Score a model's answers to a dataset under each condition, and compare conditions.

Reads items.parquet and one table of answers per condition, named after the condition. A table
without rows means that the model does not support the condition, which then gets no scores. Writes
the table of scores and the table of answer distributions.

    python -m eyechart.behavior.score_answers --model tiny_llava --dataset clevr \
        --items results/datasets/clevr/items.parquet \
        --answers results/behavior/responses/tiny_llava/clevr/sighted.parquet \
            results/behavior/responses/tiny_llava/clevr/blank.parquet \
        --settings '{"bootstrap": 1000, "vqa": "official"}' --seed 7 \
        --scores results/behavior/scores/tiny_llava/clevr.parquet \
        --distributions results/behavior/scores/tiny_llava/clevr.distributions.parquet
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from eyechart.behavior import metrics, open_metrics
from eyechart.core.randomness import generator
from eyechart.core.step import Json, command
from eyechart.statistics.intervals import FEW, share_interval
from eyechart.statistics.resample import Measure, Resampled, Sums, mean
from eyechart.statistics.testing import benjamini_hochberg, mcnemar_exact
from eyechart.tables.parquet import write_table
from eyechart.tables.read_responses import SIGHTED, read_answers, read_items
from eyechart.tables.response_arrays import AnsweredItems, ConditionResponses, lay_out
from eyechart.tables.scores import ALL, DISTRIBUTIONS, SCORES

log = logging.getLogger(__name__)

Row = dict[str, Any]


def score(
    items: pl.DataFrame,
    asked: AnsweredItems,
    said: dict[str, ConditionResponses],
    names: Row,
    settings: Row,
    seed: int,
) -> tuple[pa.Table, pa.Table]:
    """Return the scores and distributions of all conditions, over all tasks and per task.

    Result: tuple of pyarrow.Table with schemas ``SCORES`` and ``DISTRIBUTIONS``, ordered by
    condition, then task ("all" first), then metric. ``q`` is corrected over all tests of the table.

    Parameters
    ----------
    said : responses by condition; ``sighted`` is required
    names : ``model`` and ``dataset``, equal in all rows
    settings : ``bootstrap``: number of draws, which are shared by all conditions and metrics of a
        task; ``vqa``: the rule for VQA accuracy
    """
    references = open_metrics.References(asked, items)
    found = {
        condition: metrics.measures(asked, said, condition)
        + open_metrics.measures(references, own, settings["vqa"])
        for condition, own in said.items()
    }
    tasks = {ALL: np.ones(len(asked.ids), dtype=bool)}
    tasks |= {str(task): asked.task == task for task in np.unique(asked.task)}
    rows, shares = [], []
    for task, members in tasks.items():
        rng = generator("scores", seed, names["dataset"], task)
        resampled = Resampled(asked.group[members], settings["bootstrap"], rng)
        for condition, own in said.items():
            key = {**names, "condition": condition, "task": task}
            for measure in found[condition]:
                row = _row(measure, asked, members, resampled)
                if row and measure.metric == "accuracy" and condition != SIGHTED:
                    row |= compare(measure, found[SIGHTED][0], asked, members)
                rows += [key | row] if row else []
            shares += [key | row for row in distributions(asked, own, members)]
    tested = [row for row in rows if "p" in row]
    q = benjamini_hochberg(np.array([row["p"] for row in tested], dtype=float))
    for row, value in zip(tested, q.tolist(), strict=True):
        row["q"] = value
    for part in (rows, shares):
        part.sort(key=lambda row: list(said).index(row["condition"]))
    return pa.Table.from_pylist(rows, SCORES), pa.Table.from_pylist(shares, DISTRIBUTIONS)


def compare(here: Measure, sighted: Measure, asked: AnsweredItems, members: np.ndarray) -> Row:
    """Test a condition's accuracy against sighted accuracy, on the same items, by group.

    Result: ``against``, ``difference`` (here - sighted) and ``p`` from McNemar's exact test, in
    which each group votes once and an item's value is its number of right answers over its orders.
    """
    own = members[here.unit]
    whole = np.lcm.reduce(asked.orders[here.unit[own]])  # sums of whole numbers are exact
    one, two = (np.rint(m.sums[own][:, 0] * whole) for m in (sighted, here))
    p = mcnemar_exact(one, two, asked.group[here.unit[own]])
    difference = float((two - one).mean() / whole)
    return {"against": SIGHTED, "difference": difference, "p": p}


def _row(measure: Measure, asked: AnsweredItems, members: np.ndarray, resampled: Resampled) -> Row:
    """Return a metric's row over a task's items, or an empty row if no item counts.

    With few groups, shares have an interval that keeps its coverage; other metrics have none.
    """
    own = members[measure.unit]
    unit = measure.unit[own]
    if not len(unit):
        return {}
    sums = measure.sums[own]
    place = np.cumsum(members) - 1  # index of an item among the task's
    groups = asked.group[unit]
    if len(np.unique(groups)) >= FEW:
        low, high = resampled.interval(sums, place[unit], measure.of, measure.norm)
    elif measure.of is mean and np.asarray(sums)[:, 0].max() <= 1:
        low, high = share_interval(np.asarray(sums)[:, 0], groups)
    else:
        low, high = None, None
    chance = None if measure.chance is None else _value(measure, measure.chance[own])
    return {
        "metric": measure.metric,
        "value": _value(measure, sums),
        "ci_low": low,
        "ci_high": high,
        "chance": chance,
        "n": len(unit),
        "groups": len(np.unique(groups)),
        "against": measure.against,
    }


def _value(measure: Measure, sums: Sums) -> float:
    return float(measure.of(np.asarray(sums.sum(0))[None])[0])


def distributions(
    asked: AnsweredItems, said: ConditionResponses, task: np.ndarray
) -> list[dict[str, Any]]:
    """Return the rows of one condition and task, without the columns that are equal in all rows.

    Items without a known answer count only among the predictions; if no answer is known, ``truth``
    is null.

    Result: ``kind`` (``choice`` or ``place``), ``answer`` (a choice's text, or a position from
    "1"), ``truth, predicted`` (shares that sum to 1) and ``n`` items; answers that occur in neither
    are omitted.

    ``task``: bool, shape (n,); the items of the task.
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


@command
def main(
    *,
    model: str,
    dataset: str,
    items: Path,
    answers: list[Path],
    settings: Json,
    seed: int,
    scores: Path,
    distributions: Path,
) -> None:
    """Run the step."""
    known = read_items(items)
    tables, paths = read_answers(answers, model, dataset, known)
    for condition in paths.keys() - tables.keys():
        log.warning("%s: no answers; %s gets no scores", paths[condition], condition)
    scored, shares = SCORES.empty_table(), DISTRIBUTIONS.empty_table()
    if tables:
        asked, said = lay_out(known, tables, paths)
        unknown = int(((asked.c > 0) & (asked.truth < 0)).sum())
        log.info("%d items, %d without a known answer", len(asked.ids), unknown)
        names = {"model": model, "dataset": dataset}
        scored, shares = score(known, asked, said, names, settings, seed)
    write_table(distributions, shares)
    write_table(scores, scored)


if __name__ == "__main__":
    main()
