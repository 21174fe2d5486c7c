"""Probes find signals and do not find noise."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats
from test_probing_reference import COLUMNS, TASKS, stored

from eyechart.probing import search
from eyechart.probing.examples import Examples
from eyechart.probing.results import Outcome, tabulate
from eyechart.probing.train_probes import plan_of

LINEAR, MLP = 0, 64


def _examples(y, train, groups=None, types=None):
    n = len(y)
    own = np.array([f"{i:05d}" for i in range(n)])
    return Examples(
        ids=own.tolist(),
        y=np.asarray(y),
        classes=[f"c{c}" for c in range(int(max(y)) + 1)],
        groups=own if groups is None else groups,
        types=own if types is None else types,
        train=np.arange(n) < train,
    )


def _probe(columns, examples, hidden, seed=7, folds=3):
    """Return the metrics as a list of rows."""
    e = examples
    plan = plan_of(e, "t", seed, 1, folds)
    inputs = [torch.tensor(x, dtype=torch.float32) for x in columns]
    k = len(e.classes)
    choices = search.cross_validate(inputs, plan, k, hidden)
    fits = search.refit(inputs, plan, choices, k, hidden)
    outcomes = [
        Outcome({"address": f"lm.{i}", "span": "last"}, "p", *own)
        for i, own in enumerate(zip(choices, fits, strict=True))
    ]
    names = {"model": "m", "dataset": "d", "task": "t", "scope": "item"}
    return tabulate(outcomes, e, plan, names, 100, seed)[0].to_pylist()


def _kind(rows, kind):
    return [row for row in rows if row["kind"] == kind]


def test_a_linear_signal_is_found_where_it_was_planted_and_nowhere_else():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 700)
    columns = [rng.standard_normal((700, 16)) for _ in range(6)]
    columns[3] += 1.5 * np.eye(16)[y]
    rows = _kind(_probe(columns, _examples(y, 500), LINEAR), "task")
    found = [row["address"] for row in rows if row["q"] < 0.01]
    assert found == ["lm.3"]
    assert rows[3]["selectivity"] > 0.3
    assert rows[3]["selectivity_low"] > 0.2
    assert rows[3]["accuracy"] - rows[3]["null_accuracy"] > 0.3
    assert max(rows, key=lambda row: row["cv_accuracy"])["address"] == "lm.3"
    assert all(abs(row["selectivity"]) < 0.12 for i, row in enumerate(rows) if i != 3)


def test_xor_is_found_by_the_mlp_and_not_by_the_linear_probe():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((900, 4))
    y = ((x[:, 0] > 0) ^ (x[:, 1] > 0)).astype(int)
    accuracy = [
        _kind(_probe([x], _examples(y, 600), recipe), "task")[0]["accuracy"]
        for recipe in (LINEAR, MLP)
    ]
    assert accuracy[0] < 0.6
    assert accuracy[1] > 0.85


@pytest.mark.slow
def test_noise_stays_at_chance_and_within_the_nominal_error_rate():
    tests, right, significant = 100, 0, 0
    for repetition in range(200):
        rng = np.random.default_rng(repetition)
        y = rng.integers(0, 2, 100 + tests)
        noise = rng.standard_normal((100 + tests, 8))
        rows = _probe([noise], _examples(y, 100), LINEAR, seed=repetition)
        row = _kind(rows, "task")[0]
        right += round(row["accuracy"] * tests)
        significant += row["p"] < 0.05
    low, high = stats.binom.ppf([0.0005, 0.9995], 200 * tests, 0.5)
    assert low <= right <= high
    assert significant <= stats.binom.ppf(0.999, 200, 0.05)


def test_no_false_discovery_among_many_noise_addresses():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, 300)
    columns = [rng.standard_normal((300, 8)) for _ in range(60)]
    rows = _kind(_probe(columns, _examples(y, 200), LINEAR), "task")
    assert min(row["q"] for row in rows) > 0.01


def test_the_control_exposes_a_probe_that_memorises_types():
    # types are one-hot and recur in the test set, so labels of types can be memorised
    rng = np.random.default_rng(4)
    code = rng.integers(0, 20, 800)
    y = np.arange(20)[code] % 4
    types = np.array([f"type{c}" for c in code])
    rows = _probe([np.eye(20)[code]], _examples(y, 600, types=types), LINEAR)
    task, control = _kind(rows, "task")[0], _kind(rows, "control_type")[0]
    assert task["accuracy"] > 0.95
    assert control["accuracy"] > 0.95
    assert task["selectivity"] < 0.05
    assert task["selectivity_low"] < 0.05
    assert task["p"] < 0.001, "permuted labels ignore types, so they miss this"


def test_a_feature_that_identifies_the_group_does_not_raise_accuracy():
    # all items of a group have one label, so a random split of rows would reveal it
    rng = np.random.default_rng(5)
    code = np.repeat(np.arange(120), 6)
    y = rng.integers(0, 2, 120)[code]
    groups = np.array([f"g{c:03d}" for c in code])
    names = rng.standard_normal((120, 64))[code]
    row = _kind(_probe([names], _examples(y, 480, groups=groups), LINEAR), "task")[0]
    low, high = stats.binom.ppf([0.0005, 0.9995], 40, 0.5) / 40  # 40 test groups
    assert low <= row["accuracy"] <= high
    assert row["cv_accuracy"] < 0.5 + 3.3 * 0.5 / np.sqrt(80), "folds leak"
    assert row["train_accuracy"] > 0.8, "the probe can learn the names"
    assert row["ci_high"] - row["ci_low"] > 0.2, "an interval over rows would be narrower"


def test_shuffled_activations_are_significant_at_the_nominal_rate():
    # There are three types. Compared with a control task by type, whose majority share differs, far
    # more than 5% were significant.
    problems = list(product(COLUMNS, TASKS))
    p, found = [], 0
    for number in range(10):
        x, y, _, train = stored(*problems[number])
        order = np.argsort(~train, kind="stable")[-400:]
        x, y, train = x[order], y[order], int(train[order].sum())
        rng = np.random.default_rng(number)
        examples = _examples(y, train, types=rng.choice(["a", "b", "c"], len(y)))
        shuffled = [x[rng.permutation(len(x))] for _ in range(12)]
        rows = _kind(_probe(shuffled, examples, LINEAR, seed=number), "task")
        p += [row["p"] for row in rows]
        found += min(row["q"] for row in rows) < 0.01
    low, high = stats.binom.ppf([0.001, 0.999], 120, 0.05)
    assert low <= sum(np.array(p) < 0.05) <= high, sorted(p)
    assert found <= stats.binom.ppf(0.999, 10, 0.01)
