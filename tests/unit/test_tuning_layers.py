"""The linear layers of a model that are trained."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from eyechart.models.families.language import LanguageAdapter
from eyechart.tuning import arms


class AdaptedLinear(nn.Linear):
    """A linear layer that contains another, like InternLM-XComposer's adapters for image tokens."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width)
        self.inner = nn.ModuleDict({"A": nn.Linear(width, 2, bias=False)})

    def forward(self, x: Tensor, scale: float = 0.0) -> Tensor:
        found: Tensor = super().forward(x)
        return found + scale * self.inner["A"](x).sum(dim=-1, keepdim=True)


@pytest.fixture
def adapter() -> LanguageAdapter:
    """Return a model of one block per part, each with a linear layer."""
    torch.manual_seed(0)
    model = nn.ModuleDict(
        {
            "eye": nn.ModuleList([nn.ModuleDict({"out": nn.Linear(4, 4)})]),
            "join": nn.Linear(4, 4),
            "blocks": nn.ModuleList(
                [nn.ModuleDict({"wqkv": AdaptedLinear(4), "wo": nn.Linear(4, 4)})]
            ),
        }
    )
    parts = {"eye": "vision", "join": "connector", "blocks": "lm"}
    fake: Any = SimpleNamespace(
        model=model,
        addresses=lambda: {"vision.0": "eye.0", "connector": "join", "lm.0": "blocks.0"},
        reads=lambda: ["vision.0"],
        component_of=lambda path: parts.get(path.partition(".")[0]),
    )
    return cast(LanguageAdapter, fake)


def test_a_nested_linear_layer_belongs_to_the_outer_one(adapter: LanguageAdapter) -> None:
    assert arms.linear_layers(adapter) == {
        "lora_vision": ["eye.0.out"],
        "lora_connector": ["join"],
        "lora_lm": ["blocks.0.wqkv", "blocks.0.wo"],
    }


def test_a_linear_layer_that_contains_another_is_tuned_and_keeps_its_arguments(
    adapter: LanguageAdapter,
) -> None:
    x = torch.ones(1, 4)
    plain = adapter.model["blocks"][0]["wqkv"](x, 2.0)
    arm = arms.make_arm(adapter, "lora_lm", 2, [])
    arm.start("seed", 0)
    tuned = adapter.model["blocks"][0]["wqkv"]
    torch.testing.assert_close(tuned(x, 2.0), plain)
    for parameter in arm.parameters.values():
        parameter.data.fill_(1.0)
    assert not torch.allclose(tuned(x, 2.0), plain)
