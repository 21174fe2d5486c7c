"""Derive a model that answers without the image: its connector returns a constant vector.

The vector is the mean of the tokens that the connector returns for a white image, so that the
language model's input stays close to its training data. It becomes the bias of the connector's last
linear layer, whose weights become zero. This is exact if nothing follows that layer, which is
checked: two different images must give the language model the same input.
"""

from __future__ import annotations

from typing import Any

import torch

from eyechart.core.errors import UserError
from eyechart.models.derivations.connector import (
    language,
    last_linear,
    outputs,
    sample_images,
    taken,
)
from eyechart.models.derivations.settings import chosen
from eyechart.models.families.base import Adapter


def derive(adapter: Adapter, settings: dict[str, Any], seed: int) -> None:
    """Make the connector's output constant."""
    chosen("prior", settings)
    adapter = language(adapter, "prior")
    white, other = sample_images()
    constant = outputs(adapter, white)[0].flatten(0, -2).double().mean(dim=0)
    last = last_linear(adapter, "prior", len(constant))
    last.weight.data.zero_()
    last.bias.data.copy_(constant)
    (first, reads), (second, others) = (outputs(adapter, image) for image in (white, other))
    same = torch.equal(first, second) and bool((first == first.flatten(0, -2)[0]).all())
    pairs = zip(taken(reads), taken(others), strict=True)
    if not same or not all(torch.equal(a, b) for a, b in pairs):
        raise UserError(
            f"derived.by: prior cannot be folded into a model of family {adapter.spec.family}: "
            "the language model's input still depends on the image, unlike that of llava"
        )
