"""The stacked trainer does what one probe at a time would do."""

import itertools

import numpy as np
import pytest
import torch

from eyechart.probing import search
from eyechart.probing.layout import SeedPlan, make_plan, stack_inputs, whole_layout
from eyechart.probing.search import Choice, Recipe
from eyechart.probing.stacked import ProbeStack, initial_layers
from eyechart.statistics.splits import grouped_folds

K, D = 3, 6


def _recipe(hidden, **changes):
    settings = {
        "hidden": hidden,
        "learning_rates": (0.01, 0.003),
        "weight_decays": (0.0, 0.1),
        "epochs": (1, 2, 4, 7),
        "patience": 9,
        "batch_size": 16,
        "standardise": True,
    }
    return Recipe(**settings | changes)


def _problem(columns=3, seeds=2, n=90):
    rng = np.random.default_rng(0)
    y = rng.integers(0, K, n)
    train = np.arange(n) < 60
    xs = [
        torch.tensor(rng.standard_normal((n, D)) + (y[:, None] == np.arange(D)) * c * 0.7)
        for c in range(columns)
    ]
    plans = []
    for seed in range(seeds):
        fold = grouped_folds(np.arange(60).astype(str), y[train], 3, seed, "t")
        labels = np.stack([y, rng.permutation(y), rng.permutation(y)])
        plans.append(make_plan(seed, fold, labels, train, "t"))
    return [x.float() for x in xs], plans


def _flat(choices):
    return np.array([[c.loss, c.accuracy] for row in choices for c in row])


@pytest.mark.parametrize("hidden", [0, 8])
def test_stack_trains_as_torch_autograd_and_adamw_do(hidden):
    rng = np.random.default_rng(1)
    x = torch.tensor(rng.standard_normal((1, 4, 10, D)), dtype=torch.float32)
    y = torch.tensor(rng.integers(0, K, (1, 1, 4, 10)))
    start = initial_layers(D, hidden, K, 7)
    layers = [tuple(torch.tensor(p)[None, None] for p in layer) for layer in start]
    rates = torch.tensor([[[0.02, 0.3]]])
    stack = ProbeStack(layers, rates)
    reference = [torch.nn.Parameter(torch.tensor(p)) for layer in start for p in layer]
    optimiser = torch.optim.AdamW(reference, lr=0.02, weight_decay=0.3)

    def forward(inputs):
        out = inputs.T
        for i in range(0, len(reference), 2):
            out = reference[i] @ (out if i == 0 else out.relu()) + reference[i + 1]
        return out.T

    for _ in range(5):
        stack.run_epoch(x, y, torch.ones(1, 4, 10))
        for s in range(4):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(forward(x[0, s]), y[0, 0, s]).backward()
            optimiser.step()
    got = stack.logits(x[:, 0])[0, 0].T
    torch.testing.assert_close(got, forward(x[0, 0]).detach(), rtol=1e-4, atol=1e-5)


def test_padding_has_no_part_in_training():
    rng = np.random.default_rng(2)
    x = torch.tensor(rng.standard_normal((1, 2, 5, D)), dtype=torch.float32)
    y = torch.tensor(rng.integers(0, K, (1, 1, 2, 5)))
    padded_x = torch.cat([x, 1e3 * torch.ones(1, 2, 3, D)], 2)
    padded_y = torch.cat([y, torch.zeros(1, 1, 2, 3, dtype=torch.long)], 3)
    weight = torch.cat([torch.ones(1, 2, 5), torch.zeros(1, 2, 3)], 2)
    results = []
    for inputs, labels, w in ((x, y, torch.ones(1, 2, 5)), (padded_x, padded_y, weight)):
        layers = [tuple(torch.tensor(p)[None, None] for p in q) for q in initial_layers(D, 4, K, 7)]
        stack = ProbeStack(layers, torch.tensor([[[0.01, 0.0]]]))
        for _ in range(3):
            stack.run_epoch(inputs, labels, w)
        results.append(stack.logits(x[:, 0]))
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("hidden", [0, 8])
def test_all_columns_seeds_and_grid_points_together_equal_one_at_a_time(hidden):
    xs, plans = _problem()
    recipe = _recipe(hidden)
    together = search.cross_validate(xs, plans, K, recipe)
    fits = search.refit(xs, plans, together, K, recipe)
    for c, x in enumerate(xs):
        for s, plan in enumerate(plans):
            alone = [
                search.cross_validate(
                    [x], [plan], K, _recipe(hidden, learning_rates=(lr,), weight_decays=(decay,))
                )[0][0]
                for lr in recipe.learning_rates
                for decay in recipe.weight_decays
            ]
            best = min(alone, key=lambda choice: choice.loss)
            got = together[c][s]
            assert (got.lr, got.weight_decay, got.epochs) == (
                best.lr,
                best.weight_decay,
                best.epochs,
            )
            assert got.loss == pytest.approx(best.loss, abs=1e-5)
            assert got.accuracy == pytest.approx(best.accuracy, abs=1e-5)
            fit = search.refit([x], [plan], [[got]], K, recipe)[0][0]
            assert (fit.predictions == fits[c][s].predictions).all()
            np.testing.assert_allclose(fit.train_accuracy, fits[c][s].train_accuracy, atol=1e-5)


def test_chunks_and_early_ends_change_nothing(monkeypatch):
    xs, plans = _problem(columns=4)
    recipe = _recipe(8)
    whole = search.cross_validate(xs, plans, K, recipe)
    monkeypatch.setattr(search, "STACK_BYTES", 1)
    np.testing.assert_allclose(
        _flat(search.cross_validate(xs, plans, K, recipe)), _flat(whole), atol=1e-5
    )
    monkeypatch.undo()
    ends = [[Choice(0.01, 0.0, 1 + (c + s) % 3, 0, 0) for s in range(2)] for c in range(4)]
    together = search.refit(xs, plans, ends, K, recipe)
    for c, x in enumerate(xs):
        alone = search.refit([x], plans, [ends[c]], K, recipe)[0]
        for a, b in zip(alone, together[c], strict=True):
            assert (a.predictions == b.predictions).all()


def test_patience_ends_the_search_but_keeps_the_best_point_seen():
    xs, plans = _problem()
    patient = search.cross_validate(
        xs, plans, K, _recipe(8, epochs=tuple(range(1, 40)), patience=99)
    )
    hasty = search.cross_validate(xs, plans, K, _recipe(8, epochs=tuple(range(1, 40)), patience=1))
    for a, b in zip(itertools.chain(*patient), itertools.chain(*hasty), strict=True):
        assert b.epochs <= a.epochs
        assert b.loss >= a.loss - 1e-6


def test_a_batch_of_padding_alone_does_no_harm():
    xs, _ = _problem(columns=1)
    labels = np.random.default_rng(0).integers(0, K, (1, 90))
    parts = [np.arange(2), np.arange(2, 60)]  # folds of very different size: 2 rows, 8 batches
    plan = SeedPlan(7, parts, labels)
    choice = search.cross_validate(xs, [plan], K, _recipe(8, batch_size=8))[0][0]
    assert np.isfinite(choice.loss)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_standardised_probes_do_not_care_for_shift_and_scale(scale):
    xs, plans = _problem()
    shifted = [x * scale + scale for x in xs]
    recipe = _recipe(0)
    expected = _flat(search.cross_validate(xs, plans, K, recipe))
    got = _flat(search.cross_validate(shifted, plans, K, recipe))
    np.testing.assert_allclose(got[:, 0], expected[:, 0], atol=2e-3)


def test_standardisation_never_sees_what_is_held_out():
    xs, plans = _problem(columns=1, seeds=1)
    wild = [x.clone() for x in xs]
    wild[0][60:] *= 1e6  # the test rows
    recipe = _recipe(0)
    assert search.cross_validate(xs, plans, K, recipe) == search.cross_validate(
        wild, plans, K, recipe
    )
    choice = search.cross_validate(xs, plans, K, recipe)
    accuracies = [
        search.refit(x, plans, choice, K, recipe)[0][0].train_accuracy for x in (xs, wild)
    ]
    assert (accuracies[0] == accuracies[1]).all()


def test_a_constant_feature_does_no_harm():
    xs, plans = _problem(columns=1)
    with_constant = [torch.cat([x, torch.full((len(x), 1), 3.0)], 1) for x in xs]
    losses = _flat(search.cross_validate(with_constant, plans, K, _recipe(0)))
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("value", [0.0, 3.0, 0.1, -1234.5])
def test_a_feature_that_is_constant_where_it_is_learnt_is_only_centred(value):
    xs, plans = _problem(columns=1)
    layout = whole_layout(plans, 32)
    # rounding leaves the mean of a constant a little off, and it must not be blown up to a feature
    x = torch.cat([xs[0], torch.full((len(xs[0]), 1), value)], 1)
    test = np.setdiff1d(np.arange(len(x)), np.concatenate(plans[0].folds))
    x[test[0], -1] += 0.5
    data = stack_inputs([x], [(0, 0)], layout, standardise=True)
    assert data.x[0, ..., -1].abs().max() < 1e-3
    assert data.held_x[0, 0, -1] == pytest.approx(0.5, abs=1e-3)
    assert data.held_x[0, 1:, -1].abs().max() < 1e-3
