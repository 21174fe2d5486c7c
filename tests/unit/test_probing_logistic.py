"""Logistic regression is a probe like the others, and the linear probe agrees with it."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from test_probing_step import SETTINGS, _argv, _run, _world

from eyechart.core.errors import UserError
from eyechart.probing import examples, train_probes
from eyechart.probing.layout import SeedPlan, make_plan
from eyechart.probing.logistic import LogisticRecipe
from eyechart.probing.search import Recipe
from eyechart.statistics.splits import grouped_folds

LOGISTIC = LogisticRecipe((0.001, 0.01, 0.1, 1.0), 1000, True)
# As in config/config.yaml, but with learning rates for widths above the tiny models' 128: with 0.01
# alone the linear probe is 1.9 points worse at width 1,024, and 6.1 at 3,584
LINEAR = Recipe(0, (0.01, 0.001, 0.0003), (0.0,), (1, 2, 3, 4, 6, 8, 11, 15, 20, 30), 2, 128, True)
TRAIN, TEST, CLASSES, DIRECTIONS = 1500, 3000, 4, 32


def planted(width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs, (n, width), and labels: a few directions tell the class, as in activations.

    Where instead each of many independent features tells a little, AdamW's linear probe falls
    behind at every learning rate: by 4 points at width 1,024 and 5 at 3,584.
    """
    rng = np.random.default_rng(seed)
    y = rng.integers(0, CLASSES, TRAIN + TEST)
    hidden = rng.standard_normal((len(y), DIRECTIONS))
    hidden += 1.6 * np.eye(DIRECTIONS)[y]
    spread = rng.standard_normal((DIRECTIONS, width)) / np.sqrt(DIRECTIONS)
    return (hidden @ spread + 0.1 * rng.standard_normal((len(y), width))).astype(np.float32), y


def plan_of(y: np.ndarray, seed: int) -> SeedPlan:
    train = np.arange(len(y)) < TRAIN
    fold = grouped_folds(np.arange(TRAIN).astype(str), y[train], 3, seed, "t")
    return make_plan(seed, fold, y[None], train, "t")


def accuracy(x: np.ndarray, y: np.ndarray, recipe: Recipe | LogisticRecipe) -> float:
    inputs = [torch.from_numpy(x)]
    _, fits = train_probes.fit_probes(inputs, [plan_of(y, 7)], CLASSES, recipe)
    return float((fits[0][0].predictions[0] == y[TRAIN:]).mean())


@pytest.mark.parametrize("width", [128, 1024, 3584])
def test_the_linear_probe_is_as_good_as_logistic_regression(width: int) -> None:
    x, y = planted(width, width)
    ours, reference = (accuracy(x, y, recipe) for recipe in (LINEAR, LOGISTIC))
    assert reference > 0.5
    assert abs(ours - reference) <= 0.01


def test_the_step_writes_logistic_regression_as_another_kind_of_probe(tmp_path) -> None:
    own = {"penalties": [0.01, 0.1], "steps": 200}
    metrics, _ = _run(_world(tmp_path), probes={**SETTINGS["probes"], "logistic": own})
    rows = [r for r in metrics.to_pylist() if r["probe"] == "logistic"]
    assert len(rows) == 3 * 2 * 3  # columns, seeds, kinds
    for row in rows:
        assert row["lr"] is row["epochs"] is None
        assert row["weight_decay"] in own["penalties"]
        assert (row["cv_accuracy"] is not None) == (row["kind"] == "task")


def test_without_standardising_it_is_scikit_learn_itself() -> None:
    x, y = planted(16, 0)
    found = accuracy(x, y, LogisticRecipe((0.01,), 500, False))
    reference = LogisticRegression(C=100 / TRAIN, max_iter=500).fit(x[:TRAIN], y[:TRAIN])
    assert found == pytest.approx(reference.score(x[TRAIN:], y[TRAIN:]), abs=2 / TEST)


def test_probes_are_trained_where_the_configuration_says(tmp_path, monkeypatch) -> None:
    asked = []
    real = examples.read_inputs

    def read_inputs(manifest, name, rows, device):
        asked.append(str(device))
        return real(manifest, name, rows, device)

    monkeypatch.setattr(train_probes, "read_inputs", read_inputs)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    _run(_world(tmp_path))  # the settings say cpu: a GPU that happens to be there is left alone
    assert set(asked) == {"cpu"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="device: 'cuda' requested, but none was found"):
        train_probes.main(_argv(tmp_path, device="cuda"))
