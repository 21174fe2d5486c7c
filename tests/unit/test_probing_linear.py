"""Linear probes on shared inputs end where those along each fold's principal axes end."""

import numpy as np
import pytest
import torch

from eyechart.probing import linear, search
from eyechart.probing.linear import LinearStack, share_inputs
from eyechart.probing.stacked import ProbeStack, initial_layers
from eyechart.probing.training_plan import Plan, stack_inputs
from eyechart.statistics.splits import grouped_folds

K, D, N, TRAIN, FOLDS, PENALTY = 3, 12, 400, 300, 3, 0.02


def problem(columns=2, tasks=1):
    """Return correlated columns of unequal spreads and means, and their plan."""
    rng = np.random.default_rng(5)
    y = np.stack([rng.integers(0, K, N) for _ in range(tasks)])
    xs = []
    for _ in range(columns):
        x = rng.standard_normal((N, D)) + (y[0][:, None] == np.arange(D)) * 0.7
        x = x @ rng.standard_normal((D, D)) * np.geomspace(0.01, 100, D) + np.arange(D)
        xs.append(torch.tensor(x).float())
    fold = grouped_folds(np.arange(TRAIN).astype(str), y[0, :TRAIN], FOLDS, 0, "t")
    labels = np.stack([np.concatenate([y, rng.permuted(y, axis=1)]) for _ in range(2)])
    weights = np.ones((1, 1)) if tasks == 1 else rng.uniform(0.1, 2, (tasks, N)).round(1)
    return xs, Plan([0, 1], [np.flatnonzero(fold == f) for f in range(FOLDS)], labels, weights)


def layers(variants, columns=1):
    drawn = initial_layers(D, 0, K, 7, D)
    return [tuple(torch.tensor(p).expand(columns, variants, *p.shape) for p in drawn[0])]


def always(monkeypatch):
    monkeypatch.setattr(search, "SHARED_WIDTH", 0)


@pytest.mark.parametrize("tasks", [1, 2])
def test_shared_inputs_do_not_change_penalties_or_predictions(tasks, monkeypatch):
    xs, plan = problem(tasks=tasks)
    alone = search.cross_validate(xs, plan, K, 0)
    fits = search.refit(xs, plan, alone, K, 0)
    monkeypatch.setattr(search, "stack_inputs", None)  # it is not called
    always(monkeypatch)
    shared = search.cross_validate(xs, plan, K, 0)
    for one, other in zip(alone, shared, strict=True):
        assert (one.penalty, one.epochs) == (other.penalty, other.epochs)
        assert one.loss == pytest.approx(other.loss, abs=1e-3)
        assert one.accuracy == pytest.approx(other.accuracy, abs=2 / TRAIN)
    for one, other in zip(fits, search.refit(xs, plan, shared, K, 0), strict=True):
        assert one.predictions.shape == other.predictions.shape
        assert (one.predictions != other.predictions).mean() <= 0.01
        np.testing.assert_allclose(one.train_accuracy, other.train_accuracy, atol=0.01)


def test_narrow_columns_and_columns_with_few_rows_keep_their_principal_axes():
    _, plan = problem()
    wide = search.SHARED_WIDTH
    rows = Plan([0], [np.arange(10 * wide)], np.zeros((1, 1, 20 * wide), dtype=np.int64))
    assert search._shared(rows, wide, 0)
    assert not search._shared(rows, wide, 8)
    assert not search._shared(rows, wide - 1, 0)
    assert not search._shared(plan, wide, 0)


def optimum(xs, plan):
    """Return the logits of all training rows at each fold's optimum on shared inputs, centred."""
    parts = [rows for rows, _ in plan.parts()]
    learnt, _ = share_inputs(xs, plan.train, parts, plan.tasks, plan.weights)
    own = layers(FOLDS)
    theta = LinearStack(own, ProbeStack.flat(own), PENALTY, learnt).solve(500)
    logits = search._logits([p.shape[2:] for p in own[0]], theta, learnt.x)[0]
    return (logits - logits.mean(1, keepdim=True)).numpy()


def test_a_fold_is_standardised_and_penalised_by_its_own_rows_only():
    xs, plan = problem(columns=1)
    found = optimum(xs, plan)
    for f, (rows, held) in enumerate(plan.parts()):
        learnt, _ = stack_inputs(xs, [(rows, held)], plan.tasks)
        own = layers(1)
        theta = ProbeStack(own, ProbeStack.flat(own), PENALTY, learnt).solve(500)
        logits = search._logits([p.shape[2:] for p in own[0]], theta, learnt.x)[0, 0].numpy()
        here = np.searchsorted(plan.train, rows)
        np.testing.assert_allclose(found[f][:, here], logits - logits.mean(0), atol=0.01)
        wild = xs[0].clone()
        wild[held] = wild[held] * torch.linspace(0.5, 4, D) + 3  # only the axes may change
        again = optimum([wild], plan)
        np.testing.assert_allclose(again[f][:, here], found[f][:, here], atol=0.01)


def test_the_gradient_is_that_of_the_loss():
    xs, plan = problem(columns=1)
    parts = [rows for rows, _ in plan.parts()]
    learnt, _ = share_inputs(xs, plan.train, parts, plan.tasks, plan.weights)
    theta = torch.randn(1, FOLDS, K * D + K, generator=torch.Generator().manual_seed(0)) * 0.3
    stack = LinearStack(layers(FOLDS), theta, PENALTY, learnt)
    free = stack.theta.clone().requires_grad_(True)
    for f, part in enumerate(parts):
        x = xs[0][part].double()
        x = (x - x.mean(0)) / x.std(0, correction=0)
        w, b = free[0, f, : K * D].view(K, D).double(), free[0, f, K * D :].double()
        y = torch.tensor(plan.tasks[0, part])
        loss = torch.nn.functional.cross_entropy(x @ w.T + b, y)
        loss = loss + PENALTY / 2 * w.square().sum()
        (slope,) = torch.autograd.grad(loss, free)
        assert float(stack.loss[0, f]) == pytest.approx(loss.item(), abs=1e-4)
        torch.testing.assert_close(stack.grad[0, f], slope[0, f], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 3.0, -1234.5])
def test_a_constant_feature_changes_nothing(value, monkeypatch):
    always(monkeypatch)
    xs, plan = problem(columns=1)
    everywhere = torch.cat([xs[0], torch.full((N, 1), value)], 1)
    in_folds = everywhere.clone()
    in_folds[plan.folds[0], -1] += 1.0  # constant in the rows that the first fold learns from
    losses = []
    for x in (xs[0], everywhere, in_folds):
        monkeypatch.setattr(search, "LINEAR_SHARES", (PENALTY / x.shape[1],))
        losses.append(search.cross_validate([x], plan, K, 0)[0].loss)
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    assert losses[2] == pytest.approx(losses[0], abs=0.05)


def test_an_indefinite_covariance_is_given_a_larger_ridge():
    covariance = torch.diag(torch.tensor([1.0, 0.5, -1e-5]))[None]
    factor = linear._factor(covariance, torch.tensor([[1e-6]]))[0]
    expected = torch.diag(torch.tensor([1.0001, 0.5001, 9e-5]))
    torch.testing.assert_close(factor.mT @ factor, expected)
    with pytest.raises(torch.linalg.LinAlgError):
        linear._factor(covariance * torch.inf, torch.tensor([[1e-6]]))
