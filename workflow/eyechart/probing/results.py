"""Compute a task's two tables from the predictions of its probes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from eyechart.core.randomness import generator
from eyechart.probing.examples import Examples, commonest
from eyechart.probing.search import Choice, Fit
from eyechart.probing.training_plan import Plan
from eyechart.statistics import testing
from eyechart.statistics.bootstrap import bootstrap_interval
from eyechart.statistics.intervals import paired_interval
from eyechart.tables.probes import KINDS, PREDICTIONS, PROBES

CONTROLLED = KINDS[:2]  # task and control_type: a seed's rows in Plan.labels
EMPTY = {"address": "", "span": "", "probe": ""}
Tables = tuple[pa.Table, pa.Table]  # metrics, predictions


@dataclass(frozen=True)
class Outcome:
    """A column and probe, with the penalty and the predictions of all seeds."""

    column: dict[str, Any]  # the manifest's entry
    probe: str
    choice: Choice
    fit: Fit


def tabulate(
    outcomes: list[Outcome],
    examples: Examples,
    plan: Plan,
    names: dict[str, str],
    draws: int,
    seed: int,
    weights: np.ndarray | None = None,
) -> Tables:
    """Return a task's metrics and predictions.

    Result: tuple of pyarrow.Table, with schemas ``PROBES`` and ``PREDICTIONS``; the majority row
    comes first.

    Parameters
    ----------
    names : ``model``, ``dataset``, ``task`` and ``scope``, equal in all rows
    draws : number of bootstrap draws
    weights : float, shape (n,), optional; weights of the examples, if each of their types has its
        own probe
    """
    test, y = ~examples.train, examples.y
    groups = examples.groups[test]
    types = None if weights is None else examples.types
    majority = commonest(examples, types, weights)
    n, own = int(test.sum()), plan.labels[:, :, test]
    truths = np.concatenate([y[test][None], *(own.reshape(-1, n) for _ in outcomes)])
    guesses = [majority[None, test], *(o.fit.predictions.reshape(-1, n) for o in outcomes)]
    guessed = np.concatenate(guesses)
    correct = truths == guessed  # (m, n_test)
    rng = generator("bootstrap", seed, names["dataset"], names["task"])
    intervals = bootstrap_interval(correct, groups, draws, rng)
    constant = {
        **names,
        "n_train": int(examples.train.sum()),
        "n_test": n,
        "n_classes": len(examples.classes),
        "chance": 1 / len(examples.classes),
        "n_types": None if types is None else len(np.unique(types)),
    }
    keys: list[dict[str, Any]] = [{**EMPTY, "kind": KINDS[2 if types is None else 3]}]
    train = examples.train
    counts = None if weights is None else weights[train]
    keys[0]["left_out"] = left_out(examples)
    keys[0]["train_accuracy"] = float(np.average((y == majority)[train], weights=counts))
    for o in outcomes:
        for s, seed_of_probe in enumerate(plan.seeds):
            keys += _rows(o, s, seed_of_probe, correct[len(keys) : len(keys) + 2], groups)
    rng = generator("label permutations", seed, names["dataset"], names["task"])
    tasks = [i for i, key in enumerate(keys) if key["kind"] == "task"]
    strata = None if types is None else types[test]
    p, null = testing.permutation_test(guessed[tasks], y[test], groups, rng, strata)
    tests = zip(p.tolist(), testing.benjamini_hochberg(p).tolist(), null.tolist(), strict=True)
    for i, values in zip(tasks, tests, strict=True):
        keys[i] |= dict(zip(("p", "q", "null_accuracy"), values, strict=True))
    rows = [
        {**constant, **key, "accuracy": float(c.mean()), "ci_low": low, "ci_high": high}
        for key, c, (low, high) in zip(keys, correct, intervals.tolist(), strict=True)
    ]
    metrics = pa.Table.from_pylist(rows, schema=PROBES)
    return metrics, _predictions(metrics, truths, guessed, examples)


def unprobed(
    names: dict[str, str], examples: Examples, reason: str, kind: str = KINDS[3]
) -> Tables:
    """Return the tables of a task that is not probed: one row with the reason."""
    k = len(examples.classes)
    row = {**names, **EMPTY, "kind": kind, "reason": reason, "n_classes": k}
    row |= {"chance": 1 / k if k else None, "left_out": left_out(examples)}
    return pa.Table.from_pylist([row], schema=PROBES), PREDICTIONS.empty_table()


def left_out(examples: Examples) -> str | None:
    """Return the classes left out, each with its number of examples."""
    return ", ".join(f"{name} ({n})" for name, n in examples.left_out.items()) or None


def together(parts: list[Tables]) -> Tables:
    """Join the tables of one task, with q computed over all its tests."""
    metrics, predictions = (pa.concat_tables(tables) for tables in zip(*parts, strict=True))
    p = metrics["p"].to_numpy()  # NaN if there is no test
    q = np.full(len(p), np.nan)
    q[~np.isnan(p)] = testing.benjamini_hochberg(p[~np.isnan(p)])
    at = metrics.schema.get_field_index("q")
    return metrics.set_column(at, PROBES.field("q"), pa.array(q, from_pandas=True)), predictions


def _rows(
    outcome: Outcome, s: int, seed: int, correct: np.ndarray, groups: np.ndarray
) -> list[dict[str, Any]]:
    """Return one seed's rows for task and control from ``correct`` (2, n_test)."""
    accuracy, choice = correct.mean(1), outcome.choice
    rows = [
        {
            "address": outcome.column["address"],
            "span": outcome.column["span"],
            "probe": outcome.probe,
            "seed": seed,
            "kind": kind,
            "train_accuracy": float(outcome.fit.train_accuracy[s, i]),
            "penalty": choice.penalty,
            "epochs": choice.epochs,
        }
        for i, kind in enumerate(CONTROLLED)
    ]
    right = correct.astype(float)
    low, high = paired_interval(right[0], right[1], groups)
    rows[0] |= {
        "cv_accuracy": choice.accuracy,
        "selectivity": float(accuracy[0] - accuracy[1]),
        "selectivity_low": low,
        "selectivity_high": high,
    }
    return rows


def _predictions(
    metrics: pa.Table, truths: np.ndarray, guesses: np.ndarray, examples: Examples
) -> pa.Table:
    """Return one row per metrics row and test example."""
    m, n = truths.shape
    classes = pa.array(examples.classes)
    ids = pa.array([i for i, t in zip(examples.ids, examples.train, strict=True) if not t])
    repeated = pa.array(np.repeat(np.arange(m), n))
    columns = [metrics[name].combine_chunks().take(repeated) for name in PREDICTIONS.names[:5]]
    columns.append(ids.take(pa.array(np.tile(np.arange(n), m))))
    columns += [classes.take(pa.array(codes.ravel())) for codes in (truths, guesses)]
    return pa.Table.from_arrays(columns, schema=PREDICTIONS)
