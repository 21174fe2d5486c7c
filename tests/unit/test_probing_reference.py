"""Both probes match scikit-learn's accuracy on stored activations and on synthetic spectra."""

import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from eyechart.probing import search
from eyechart.probing.training_plan import Plan
from eyechart.statistics.splits import grouped_folds

STORED = pq.read_table(Path(__file__).parents[1] / "data" / "tiny_llava_clevr.parquet")
COLUMNS = ("vision.3/cls", "connector/image_mean", "lm.3/image_mean")
TASKS = ("has_red", "has_metal", "majority_shape", "object_count")
SEEDS, FOLDS, TESTED = [7, 8, 9], 3, 4000
MEAN, MOST = 0.005, 0.03  # allowed differences in accuracy
Problem = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def stored(column: str, task: str) -> Problem:
    """Return inputs, labels, groups and training rows of a task and column of the demo."""
    known = STORED.filter(STORED[task].is_valid())
    x = np.array(known[column].to_pylist(), dtype=np.float32)
    _, y = np.unique(known[task].to_pylist(), return_inverse=True)
    return x, y, np.array(known["group"].to_pylist()), np.array(known["train"].to_pylist())


def spectrum(width: int, examples: int, seed: int = 0) -> Problem:
    """Return a problem of four classes with few strong and many weak features.

    Variances fall as 1 / rank, as in activations. Labels depend on eight strong directions,
    slightly on all others, and on products of two strong directions, which a linear probe cannot
    use.
    """
    rng = np.random.default_rng([seed, width, examples])
    n = examples + TESTED
    z = rng.standard_normal((n, width))
    scores = 0.8 * z[:, :8] @ rng.standard_normal((8, 4))
    scores += 1.5 * z[:, 8:] @ rng.standard_normal((width - 8, 4)) / np.sqrt(width - 8)
    scores += 0.8 * (z[:, :4] * z[:, 4:8]) @ rng.standard_normal((4, 4))
    y = (scores + rng.gumbel(size=scores.shape)).argmax(1)
    rotation, _ = np.linalg.qr(rng.standard_normal((width, width)))
    x = (z / np.sqrt(np.arange(1, width + 1))) @ rotation
    return x.astype(np.float32), y, np.arange(n).astype(str), np.arange(n) < examples


def folds_of(problem: Problem) -> np.ndarray:
    """Return the fold of each training row; both searches use the same."""
    _, y, groups, train = problem
    return grouped_folds(groups[train], y[train], FOLDS, 7, "t")


def ours(problem: Problem, hidden: int) -> float:
    """Return the test accuracy of our probe, averaged over seeds."""
    x, y, _, train = problem
    rows, seeds = np.flatnonzero(train), SEEDS if hidden else SEEDS[:1]
    fold = folds_of(problem)
    labels = np.stack([y[None]] * len(seeds))
    plan = Plan(seeds, [rows[fold == f] for f in range(FOLDS)], labels)
    inputs, k = [torch.from_numpy(x)], int(y.max()) + 1
    choices = search.cross_validate(inputs, plan, k, hidden)
    fit = search.refit(inputs, plan, choices, k, hidden)[0]
    return float((fit.predictions == y[~train]).mean())


def theirs(problem: Problem, hidden: int) -> float:
    """Return the same for scikit-learn's probe, with the penalty chosen on the same folds."""
    x, y, _, train = problem
    if not hidden:
        return float((linear(problem).predict(x[~train]) == y[~train]).mean())
    rate = min(1e-3, 0.1 / x.shape[1])
    settings = {"hidden_layer_sizes": (hidden,), "learning_rate_init": rate}
    found = []
    for seed in SEEDS:
        model = MLPClassifier(**settings, max_iter=300, early_stopping=True, random_state=seed)
        search_cv = GridSearchCV(
            make_pipeline(StandardScaler(), model),
            {"mlpclassifier__alpha": np.logspace(-3, 1, 3)},
            cv=PredefinedSplit(folds_of(problem)),
            scoring="neg_log_loss",
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            search_cv.fit(x[train], y[train])
        found.append((search_cv.predict(x[~train]) == y[~train]).mean())
    return float(np.mean(found))


def linear(problem: Problem) -> Pipeline:
    """Return scikit-learn's logistic regression, with a penalty of our grid chosen by our rule."""
    x, y, _, train = problem
    x, y, fold = x[train], y[train], folds_of(problem)

    def held_out(share: float) -> tuple[float, float]:
        log_p = np.empty((len(y), y.max() + 1))
        for f in range(FOLDS):
            model = penalised(x[fold != f], y[fold != f], share)
            log_p[fold == f] = np.log(model.predict_proba(x[fold == f]) + np.finfo(float).tiny)
        right = (log_p.argmax(1) == y).mean()
        return round(float(right), 6), float(log_p[np.arange(len(y)), y].mean())

    return penalised(x, y, max(search.LINEAR_SHARES, key=held_out))


def penalised(x: np.ndarray, y: np.ndarray, share: float) -> Pipeline:
    """Fit scikit-learn's logistic regression with our penalty.

    Its C weights the sum of the losses, not their mean. For two classes, it has one weight vector.
    Ours has two, plus and minus half of that vector, so the sum of squares is half as large.
    """
    weight = 2 if y.max() == 1 else 1
    c = weight / (share * x.shape[1] * len(y))
    steps = 2000 if len(y) < 1000 else 500  # stored activations need more than 500
    model = LogisticRegression(C=c, max_iter=steps, tol=1e-6)
    found = make_pipeline(StandardScaler(), model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return found.fit(x.astype(np.float64), y)


def differences(problems: list[Problem], hidden: int) -> np.ndarray:
    return np.array([ours(p, hidden) - theirs(p, hidden) for p in problems])


def check_equal(found: np.ndarray) -> None:
    """Check that most differences are 0; a single example may decide which penalty is best."""
    assert (found == 0).mean() >= 0.75, found
    assert abs(found.mean()) <= MEAN, found
    assert abs(found).max() <= MOST, found
    assert abs(found).max() <= MOST, found


def test_the_linear_probe_is_logistic_regression_on_stored_activations() -> None:
    check_equal(differences([stored(COLUMNS[2], t) for t in TASKS], 0))


def test_the_linear_probe_is_logistic_regression_on_a_spectrum() -> None:
    assert abs(differences([spectrum(128, 500)], 0)[0]) <= MEAN


@pytest.mark.slow
def test_the_linear_probe_is_logistic_regression_on_all_stored_columns() -> None:
    check_equal(differences([stored(c, t) for c in COLUMNS for t in TASKS], 0))


@pytest.mark.slow
def test_the_linear_probe_is_logistic_regression_at_every_width() -> None:
    sizes = [(w, n) for w in (128, 1024, 3584) for n in (500, 5000)]
    found = differences([spectrum(*size) for size in sizes], 0)
    assert abs(found.mean()) <= MEAN, found
    assert abs(found).max() <= MOST, found


@pytest.mark.slow
def test_the_mlp_is_as_good_as_scikit_learns_on_stored_activations() -> None:
    found = differences([stored(c, t) for c in COLUMNS for t in TASKS], 128)
    assert found.mean() >= -MEAN, found
    assert found.min() >= -MOST, found


def test_the_mlp_is_as_good_as_scikit_learns_on_a_spectrum() -> None:
    assert differences([spectrum(128, 500)], 64)[0] >= -MEAN


@pytest.mark.slow
def test_the_mlp_is_as_good_as_scikit_learns_at_every_width() -> None:
    sizes = [(w, n) for w in (128, 1024, 3584) for n in (500, 5000)]
    found = differences([spectrum(*size) for size in sizes], 64)
    assert found.mean() >= -MEAN, found
    assert found.min() >= -MOST, found
