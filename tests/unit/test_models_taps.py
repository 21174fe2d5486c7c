"""Hooks never outlive their block, and a forward pass ends when all has been seen."""

import pytest
import torch
from torch import nn

from eyechart.errors import UserError
from eyechart.models.taps import taps


@pytest.fixture
def model():
    return nn.Sequential(*(nn.Linear(3, 3) for _ in range(4)))


def hooks(model):
    return sum(len(m._forward_hooks) for m in model.modules())


def test_outputs_are_seen_and_hooks_removed(model):
    found = {}
    x = torch.ones(2, 3)
    with taps(model, ["1", "3"], found.__setitem__, stop=False):
        whole = model(x)
    assert torch.equal(found["3"], whole)
    assert torch.equal(found["1"], model[1](model[0](x)))
    assert hooks(model) == 0


def test_later_modules_never_run_after_the_deepest_one_asked_for(model):
    ran = []
    model[2].register_forward_pre_hook(lambda *_: ran.append("2"))
    with taps(model, ["0", "1"], lambda *_: None, stop=True):
        model(torch.ones(1, 3))
    assert ran == []
    model(torch.ones(1, 3))
    assert ran == ["2"]


def test_hooks_are_removed_when_the_forward_pass_fails(model):
    with pytest.raises(ValueError, match="mine"), taps(model, ["0"], lambda *_: None, stop=False):
        raise ValueError("mine")
    assert hooks(model) == 0


def test_a_module_that_does_not_run_is_an_error(model):
    model.add_module("spare", nn.Linear(3, 3))
    with (
        pytest.raises(UserError, match="'spare' did not run"),
        taps(model, ["0", "spare"], lambda *_: None, stop=True),
    ):
        model[0](torch.ones(1, 3))
    assert hooks(model) == 0


def test_the_first_run_of_a_module_that_runs_twice_counts(model):
    found = {}
    with taps(model, ["0"], found.__setitem__, stop=False):
        first = model[0](torch.ones(1, 3))
        model[0](torch.zeros(1, 3))
    assert torch.equal(found["0"], first)
