"""Hooks never outlive their ``with`` block, and outputs are read after edits."""

import pytest
import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutput

from eyechart.core.errors import UserError
from eyechart.models.hooks import (
    at,
    edit_outputs,
    first_output,
    read_outputs,
    replace_tensor,
    skipped,
    tensor_of,
)


@pytest.fixture
def model():
    return nn.Sequential(*(nn.Linear(3, 3) for _ in range(4)))


def hooks(model):
    return sum(len(m._forward_hooks) for m in model.modules())


def test_outputs_are_seen_and_hooks_removed(model):
    found = {}
    x = torch.ones(2, 3)
    with read_outputs(model, ["1", "3"], found.__setitem__, stop=False):
        whole = model(x)
    assert torch.equal(found["3"], whole)
    assert torch.equal(found["1"], model[1](model[0](x)))
    assert hooks(model) == 0


def test_modules_after_the_deepest_requested_one_never_run(model):
    ran = []
    model[2].register_forward_pre_hook(lambda *_: ran.append("2"))
    with read_outputs(model, ["0", "1"], lambda *_: None, stop=True):
        model(torch.ones(1, 3))
    assert ran == []
    model(torch.ones(1, 3))
    assert ran == ["2"]


def test_hooks_are_removed_when_the_forward_pass_fails(model):
    with (
        pytest.raises(ValueError, match="mine"),
        read_outputs(model, ["0"], lambda *_: None, stop=False),
    ):
        raise ValueError("mine")
    assert hooks(model) == 0


def test_a_module_that_does_not_run_is_an_error(model):
    model.add_module("spare", nn.Linear(3, 3))
    with (
        pytest.raises(UserError, match="'spare' did not run"),
        read_outputs(model, ["0", "spare"], lambda *_: None, stop=True),
    ):
        model[0](torch.ones(1, 3))
    assert hooks(model) == 0


def test_the_first_run_of_a_module_that_runs_twice_counts(model):
    found = {}
    with read_outputs(model, ["0"], found.__setitem__, stop=False):
        first = model[0](torch.ones(1, 3))
        model[0](torch.zeros(1, 3))
    assert torch.equal(found["0"], first)


def test_outputs_are_read_after_edits_in_either_nesting_order(model):
    found = {}
    x = torch.ones(2, 3)
    reading = {"paths": ["1"], "see": found.__setitem__, "stop": False}
    with edit_outputs(model, {"1": torch.zeros_like}), read_outputs(model, **reading):
        outside = model(x)
    assert not found.pop("1").any()
    with read_outputs(model, **reading), edit_outputs(model, {"1": torch.zeros_like}):
        assert torch.equal(model(x), outside)
    assert not found["1"].any()
    assert torch.equal(outside, model[3](model[2](torch.zeros(2, 3))))


def test_the_inner_of_two_edits_runs_first(model):
    with (
        edit_outputs(model, {"3": lambda hidden: hidden * 2}),
        edit_outputs(model, {"3": torch.ones_like}),
    ):
        assert torch.equal(model(torch.ones(2, 3)), torch.full((2, 3), 2.0))


def test_a_module_that_does_not_exist_leaves_no_hook_behind(model):
    with (
        pytest.raises(UserError, match=r"no module '33'; did you mean '3'"),
        edit_outputs(model, {"0": torch.zeros_like, "33": torch.zeros_like}),
    ):
        pass
    assert hooks(model) == 0


def test_a_wrong_shape_or_a_module_that_never_runs_is_a_one_sentence_error(model):
    with (
        pytest.raises(UserError, match=r"'0' returned shape \(2, 1\), expected \(2, 3\)"),
        edit_outputs(model, {"0": lambda hidden: hidden[:, :1]}),
    ):
        model(torch.ones(2, 3))
    with (
        pytest.raises(UserError, match="'3' did not run"),
        edit_outputs(model, {"3": torch.zeros_like}),
    ):
        model[0](torch.ones(1, 3))


@pytest.mark.parametrize(
    "where",
    [[1, -1], torch.tensor([False, True, False, True]), lambda hidden: hidden[..., 0] > 0.5],
)
def test_tokens_are_selected_by_index_mask_or_function(where):
    hidden = torch.rand(2, 4, 3)
    hidden[:, ::2, 0], hidden[:, 1::2, 0] = 0.1, 0.9
    changed = at(where, torch.zeros_like)(hidden)
    assert not changed[:, 1::2].any()
    assert torch.equal(changed[:, ::2], hidden[:, ::2])


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ([4], "token 4 is beyond an output of 4 tokens"),
        (torch.ones(3, dtype=torch.bool), r"mask of shape \(3,\) does not fit .* \(2, 4, 3\)"),
    ],
)
def test_missing_tokens_are_a_one_sentence_error(where, message):
    with pytest.raises(UserError, match=message):
        at(where, torch.zeros_like)(torch.ones(2, 4, 3))


def test_hidden_states_are_replaced_wherever_an_output_holds_them():
    new = torch.ones(3, 2)
    parts = [torch.zeros(1, 2), torch.zeros(2, 2)]
    whole = BaseModelOutput(last_hidden_state=torch.zeros(3, 2), attentions=("kept",))
    for output in (torch.zeros(3, 2), (torch.zeros(3, 2), "kept"), parts, (parts, "kept"), whole):
        changed = replace_tensor(output, new)
        assert type(changed) is type(output)
        assert torch.equal(tensor_of("m", changed), new)
        assert not tensor_of("m", output).any()
    assert replace_tensor(whole, new).attentions == ("kept",)
    assert [len(part) for part in replace_tensor(parts, new)] == [1, 2]


def test_skipped_modules_return_the_known_output_and_later_ones_run(model):
    numbers = torch.randn(2, 3)
    whole, behind = model(numbers), model[:2](numbers)
    with first_output(model, "1") as found:
        model(numbers)
    torch.testing.assert_close(found, [behind])
    model[1].forward = lambda *_: behind * 0  # as when blocks are on several devices
    with skipped(model, ["0", "1"], found[0]):
        torch.testing.assert_close(model(torch.zeros(2, 3)), whole)
    assert not model[1](numbers).any()
    del model[1].forward
    torch.testing.assert_close(model(numbers), whole)
    assert hooks(model) == 0
