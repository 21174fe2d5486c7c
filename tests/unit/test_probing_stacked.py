"""The stacked trainer gives the same results as training one probe at a time."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from eyechart.probing import search
from eyechart.probing.stacked import ProbeStack, initial_layers
from eyechart.probing.training_plan import Data, Plan, stack_inputs
from eyechart.statistics.splits import grouped_folds

K, D, N, TRAIN = 3, 6, 90, 60


def _problem(columns=3, seeds=2, width=D):
    rng = np.random.default_rng(0)
    y = rng.integers(0, K, N)
    means = (y[:, None] == np.arange(width)) * 0.7
    xs = [torch.tensor(rng.standard_normal((N, width)) + means * c) for c in range(columns)]
    fold = grouped_folds(np.arange(TRAIN).astype(str), y[:TRAIN], 3, 0, "t")
    labels = np.stack([np.stack([y, rng.permutation(y)]) for _ in range(seeds)])
    plan = Plan(list(range(seeds)), [np.flatnonzero(fold == f) for f in range(3)], labels)
    return [x.float() for x in xs], plan


def _layers(axes, hidden, width=D):
    drawn = initial_layers(axes, hidden, K, 7, width)
    return [tuple(torch.tensor(p)[None, None] for p in layer) for layer in drawn]


def _stack(hidden, penalty=0.02):
    """Return a stack of one probe, and its data."""
    xs, plan = _problem(columns=2)
    data, _ = stack_inputs(xs[1:], [(plan.train, plan.test)], plan.tasks)
    layers = _layers(D, hidden)
    if hidden:  # the output layer starts at zero, so the first layer would have no gradient
        layers[1] = (
            torch.randn(1, 1, K, hidden, generator=torch.Generator().manual_seed(1)),
            layers[1][1],
        )
    return ProbeStack(layers, ProbeStack.flat(layers), penalty, data), data, layers


def _loss(params, data, penalty):
    """Return the penalised loss from torch's own functions, for layers in the inputs' units."""
    out, weights = data.x[0].T, params[::2]
    for i, (w, b) in enumerate(zip(weights, params[1::2], strict=True)):
        out = w @ (out if i == 0 else out.relu()) + b
    cross = torch.nn.functional.cross_entropy(out.T, data.y[0, 0])
    return cross + penalty / 2 * sum(w.square().sum() for w in weights)


@pytest.mark.parametrize("hidden", [0, 8])
def test_loss_and_gradient_are_those_of_autograd(hidden):
    stack, data, layers = _stack(hidden)
    params = [torch.nn.Parameter(p[0, 0]) for layer in layers for p in layer]
    loss = _loss(params, data, 0.02)
    loss.backward()
    assert float(stack.loss) == pytest.approx(loss.item(), abs=1e-5)
    slope = torch.cat([p.grad.flatten() for p in params])
    # the stack's weights and gradients have different units
    torch.testing.assert_close(
        stack._scaled(stack.grad, 1 / stack.unit)[0, 0], slope, rtol=1e-3, atol=1e-5
    )


def test_a_linear_probe_ends_at_the_minimum_that_scipy_finds():
    stack, data, layers = _stack(0)

    def objective(theta):
        flat = torch.tensor(theta, requires_grad=True)
        w, b = flat[: K * D].view(K, D), flat[K * D :, None]
        double = Data(data.x.double(), data.variance, data.y, data.weight)
        loss = _loss([w, b], double, 0.02)
        return loss.item(), torch.autograd.grad(loss, flat)[0].numpy()

    best = minimize(objective, np.zeros(K * D + K), jac=True, tol=1e-10)
    theta = stack.solve(200)
    found = ProbeStack(layers, theta, 0.02, data)
    assert float(found.loss) == pytest.approx(best.fun, abs=2e-6)
    np.testing.assert_allclose(theta[0, 0, : K * D], best.x[: K * D], atol=0.01)


@pytest.mark.parametrize("hidden", [0, 8])
def test_every_step_lowers_the_loss(hidden):
    stack, _, _ = _stack(hidden)
    losses = [float(stack.loss)]
    for _ in range(30):
        stack.iterate()
        losses.append(float(stack.loss))
    assert (np.diff(losses) <= 0).all()
    assert losses[-1] < losses[0] - 0.05


@pytest.mark.parametrize("width", [D, 100])
def test_principal_axes_preserve_distances_and_predictions(width):
    xs, plan = _problem(columns=1, width=width)
    learnt, held = stack_inputs(xs, [(plan.train, plan.test)], plan.tasks)
    x = (xs[0] - xs[0][plan.train].mean(0)) / xs[0][plan.train].std(0, unbiased=False)
    torch.testing.assert_close(
        learnt.x[0] @ learnt.x[0].T, x[plan.train] @ x[plan.train].T, rtol=1e-3, atol=1e-3
    )
    torch.testing.assert_close(
        held.x[0] @ learnt.x[0].T, x[plan.test] @ x[plan.train].T, rtol=1e-3, atol=1e-3
    )
    torch.testing.assert_close(
        learnt.x[0].square().mean(0), learnt.variance[0], rtol=1e-3, atol=1e-3
    )


def _results(xs, plan, hidden):
    choices = search.cross_validate(xs, plan, K, hidden)
    return choices, search.refit(xs, plan, choices, K, hidden)


@pytest.mark.parametrize("hidden", [0, 8])
def test_all_columns_seeds_and_controls_together_equal_one_at_a_time(hidden, monkeypatch):
    xs, plan = _problem()
    choices, fits = _results(xs, plan, hidden)
    monkeypatch.setattr(search, "STACK_BYTES", 1)
    for c, x in enumerate(xs):
        alone, fitted = _results([x], plan, hidden)
        assert (alone[0].penalty, alone[0].epochs) == (choices[c].penalty, choices[c].epochs)
        assert alone[0].loss == pytest.approx(choices[c].loss, abs=1e-4)
        differing = (fitted[0].predictions != fits[c].predictions).mean()
        assert differing <= 0.02  # the two classes are equally likely
    for s in range(2):
        one = Plan([plan.seeds[s]], plan.folds, plan.labels[s : s + 1])
        fitted = search.refit(xs, one, choices, K, hidden)
        for c in range(len(xs)):
            assert (fitted[c].predictions[0] != fits[c].predictions[s]).mean() <= 0.02


def test_padding_does_not_affect_training():
    xs, plan = _problem(columns=1)
    parts = [(plan.train, plan.test), (plan.train[:40], plan.test[:20])]
    both, _ = stack_inputs(xs, parts, plan.tasks)
    alone, _ = stack_inputs(xs, parts[1:], plan.tasks)
    layers = _layers(D, 0)
    losses = []
    for data in (both, alone):
        theta = ProbeStack.flat(layers).expand(len(data.x), 1, -1)
        found = ProbeStack(layers, ProbeStack(layers, theta, 0.1, data).solve(200), 0.1, data)
        losses.append(float(found.loss[-1]))
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_a_wide_probe_with_few_examples_still_chooses_a_penalty_within_its_grid():
    xs, plan = _problem(columns=2, width=500)
    shares = [c.penalty / 500 for c in search.cross_validate(xs, plan, K, 0)]
    assert all(search.LINEAR_SHARES[-1] < share <= search.LINEAR_SHARES[0] for share in shares)


def test_a_linear_probe_has_the_penalty_with_the_highest_held_out_accuracy(monkeypatch):
    rng, plan = np.random.default_rng(1), _problem()[1]
    weak = rng.standard_normal((N, 1)) + 0.1 * rng.standard_normal((N, 30))
    weak[:, :K] += 0.2 * (plan.tasks[0][:, None] == np.arange(K))
    xs = [torch.tensor(weak).float()]
    (chosen,) = search.cross_validate(xs, plan, K, 0)
    path = []
    for share in search.LINEAR_SHARES:
        monkeypatch.setattr(search, "LINEAR_SHARES", (share,))
        path += search.cross_validate(xs, plan, K, 0)
    best = max(choice.accuracy for choice in path)
    least = min(path, key=lambda choice: choice.loss)
    assert chosen.accuracy == pytest.approx(best)
    assert chosen.loss == pytest.approx(
        min(c.loss for c in path if c.accuracy == pytest.approx(best)), abs=1e-4
    )
    assert least.accuracy < best - 0.02  # the loss would have chosen a different one


def test_standardisation_never_uses_held_out_rows():
    xs, plan = _problem(columns=1)
    wild = [x.clone() for x in xs]
    wild[0][TRAIN:] *= 1e6  # the test rows
    (choices, fits), (again, fitted) = (_results(x, plan, 0) for x in (xs, wild))
    assert choices == again
    assert (fits[0].train_accuracy == fitted[0].train_accuracy).all()


@pytest.mark.parametrize("value", [0.0, 3.0, 0.1, -1234.5])
def test_a_feature_that_is_constant_in_training_is_only_centred(value):
    xs, plan = _problem(columns=1)
    plain, plain_held = stack_inputs(xs, [(plan.train, plan.test)], plan.tasks)
    # the mean of a constant has a rounding error, which must not be scaled up to a feature
    x = torch.cat([xs[0], torch.full((N, 1), value)], 1)
    learnt, held = stack_inputs([x], [(plan.train, plan.test)], plan.tasks)
    for one, other in ((plain, learnt), (plain_held, held)):
        torch.testing.assert_close(one.x @ one.x.mT, other.x @ other.x.mT, rtol=1e-3, atol=1e-2)
    assert np.isfinite([c.loss for c in search.cross_validate([x], plan, K, 0)]).all()
