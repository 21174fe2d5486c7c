"""The two tables of a task, computed from the predictions of its probes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from eyechart.core.randomness import generator
from eyechart.probing.examples import Examples
from eyechart.probing.layout import SeedPlan
from eyechart.probing.search import Choice, Fit
from eyechart.statistics import testing
from eyechart.statistics.bootstrap import bootstrap_interval
from eyechart.tables.probes import KINDS, PREDICTIONS, PROBES

CONTROLLED = KINDS[:3]  # task, control_type, control_permutation: the rows of Plan.labels


@dataclass(frozen=True)
class Outcome:
    """One column, probe and seed: hyper-parameters, predictions and labels."""

    column: dict[str, Any]  # the manifest's entry
    probe: str
    plan: SeedPlan
    choice: Choice
    fit: Fit


def tabulate(
    outcomes: list[Outcome], examples: Examples, names: dict[str, str], draws: int, seed: int
) -> tuple[pa.Table, pa.Table]:
    """Return the metrics and the predictions of a task.

    Parameters
    ----------
    outcomes : list of Outcome
    examples : Examples
    names : dict
        ``model``, ``dataset``, ``task``, ``scope``: the same in every row.
    draws : int
        Of the bootstrap.
    seed : int

    Returns
    -------
    tuple of pyarrow.Table
        Schemas ``PROBES`` and ``PREDICTIONS``; the majority row comes first.
    """
    test, y = ~examples.train, examples.y
    majority = int(np.bincount(y[examples.train]).argmax())
    truths, guesses = [y[test]], [np.full(test.sum(), majority)]
    for o in outcomes:
        truths += list(o.plan.labels[:, test])
        guesses += list(o.fit.predictions)
    correct = np.stack(truths) == np.stack(guesses)  # (m, n_test)
    rng = generator("bootstrap", seed, names["dataset"], names["task"])
    intervals = bootstrap_interval(correct, examples.groups[test], draws, rng)
    constant = {
        **names,
        "n_train": int(examples.train.sum()),
        "n_test": int(test.sum()),
        "n_classes": len(examples.classes),
        "chance": 1 / len(examples.classes),
    }
    keys: list[dict[str, Any]] = [{"address": "", "span": "", "probe": "", "kind": "majority"}]
    keys[0]["train_accuracy"] = float((y[examples.train] == majority).mean())
    for i, o in enumerate(outcomes):
        first = 1 + i * len(CONTROLLED)
        keys += _rows(o, correct[first : first + len(CONTROLLED)], examples.groups[test])
    tasks = [key for key in keys if key["kind"] == "task"]
    q = testing.benjamini_hochberg(np.array([key["p_mcnemar"] for key in tasks]))
    for key, value in zip(tasks, q.tolist(), strict=True):
        key["q"] = value
    rows = [
        {**constant, **key, "accuracy": float(c.mean()), "ci_low": low, "ci_high": high}
        for key, c, (low, high) in zip(keys, correct, intervals.tolist(), strict=True)
    ]
    metrics = pa.Table.from_pylist(rows, schema=PROBES)
    return metrics, _predictions(metrics, np.stack(truths), np.stack(guesses), examples)


def _rows(outcome: Outcome, correct: np.ndarray, groups: np.ndarray) -> list[dict[str, Any]]:
    """Return the rows of task and controls from ``correct`` (3, n_test), without shared columns."""
    accuracy = correct.mean(1)
    n = correct.shape[1]
    right = [int(r) for r in correct.sum(1)]
    choice = outcome.choice
    rows = [
        {
            "address": outcome.column["address"],
            "span": outcome.column["span"],
            "probe": outcome.probe,
            "seed": outcome.plan.seed,
            "kind": kind,
            "train_accuracy": float(outcome.fit.train_accuracy[i]),
            "lr": choice.lr,
            "weight_decay": choice.weight_decay,
            "epochs": choice.epochs,
        }
        for i, kind in enumerate(CONTROLLED)
    ]
    rows[0] |= {
        "cv_accuracy": choice.accuracy,
        "selectivity": float(accuracy[0] - accuracy[1]),
        "selectivity_permutation": float(accuracy[0] - accuracy[2]),
        "p_mcnemar": testing.mcnemar_exact(correct[0], correct[1], groups),
        "p_ztest": testing.two_proportion_z(right[0], n, right[1], n)[1],
    }
    return rows


def _predictions(
    metrics: pa.Table, truths: np.ndarray, guesses: np.ndarray, examples: Examples
) -> pa.Table:
    """Return a row per metrics row and test example."""
    m, n = truths.shape
    classes = pa.array(examples.classes)
    ids = pa.array([i for i, t in zip(examples.ids, examples.train, strict=True) if not t])
    repeated = pa.array(np.repeat(np.arange(m), n))
    columns = [metrics[name].combine_chunks().take(repeated) for name in PREDICTIONS.names[:5]]
    columns.append(ids.take(pa.array(np.tile(np.arange(n), m))))
    columns += [classes.take(pa.array(codes.ravel())) for codes in (truths, guesses)]
    return pa.Table.from_arrays(columns, schema=PREDICTIONS)
