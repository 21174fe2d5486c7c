"""Derive a model that answers without the image: its connector returns a constant vector.

The vector is the mean over the tokens that the connector returns for a white image, so that the
language model's input stays close to its training data. It becomes the bias of the connector's last
linear layer, whose weights become zero; this is exact wherever nothing follows that layer, which is
checked: two different images must give the language model the same input.
"""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from eyechart.core.errors import UserError
from eyechart.models.derivations.settings import no_settings
from eyechart.models.families.base import Adapter
from eyechart.models.hooks import pass_mode, read_outputs

SIDE = 64  # pixels


def derive(adapter: Adapter, settings: dict[str, Any], seed: int) -> None:
    """Make the connector's output constant."""
    no_settings("prior", settings)
    if adapter.spec.kind != "vlm" or adapter.CONNECTOR is None:
        raise UserError(
            f"derived.by: prior needs a connector before a language model, and family "
            f"{adapter.spec.family} has none"
        )
    white = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
    constant = outputs(adapter, white)[0].flatten(0, -2).double().mean(dim=0)
    last = last_linear(adapter, len(constant))
    last.weight.data.zero_()
    last.bias.data.copy_(constant)
    check_constant(adapter, white)


def last_linear(adapter: Adapter, width: int) -> nn.Linear:
    """Return the last linear layer of the connector, which has its width and a bias."""
    connector = adapter.model.get_submodule(str(adapter.CONNECTOR))
    linear = [m for m in connector.modules() if isinstance(m, nn.Linear)]
    if not linear or linear[-1].out_features != width or linear[-1].bias is None:
        raise UserError(
            f"derived.by: prior cannot be folded into a model of family {adapter.spec.family}: its "
            "connector does not end in a linear layer with a bias"
        )
    return linear[-1]


def outputs(adapter: Adapter, image: Image.Image) -> tuple[Tensor, list[Any]]:
    """Return the connector's output for an image, and all the language model's image inputs."""
    found: dict[str, Tensor] = {}
    path = str(adapter.CONNECTOR)
    with pass_mode(), read_outputs(adapter.model, [path], found.__setitem__, stop=False):
        (encoded,) = adapter.encode_images([adapter.prepare_image(image)])
    return found[path], [
        encoded.features,
        *(v for k, v in sorted(encoded.more.items()) if k == "early"),
    ]


def check_constant(adapter: Adapter, white: Image.Image) -> None:
    """Raise a UserError if another image of the same size still has a different output."""
    other = Image.linear_gradient("L").resize(white.size).convert("RGB")
    first, second = (outputs(adapter, image) for image in (white, other))
    same = torch.equal(first[0], second[0]) and bool((first[0] == first[0].flatten(0, -2)[0]).all())
    pairs = zip(_tensors(first[1]), _tensors(second[1]), strict=True)
    if not same or not all(torch.equal(a, b) for a, b in pairs):
        raise UserError(
            f"derived.by: prior cannot be folded into a model of family {adapter.spec.family}: "
            "the language model's input still depends on the image"
        )


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [t for part in value for t in _tensors(part)] if isinstance(value, list | tuple) else []
