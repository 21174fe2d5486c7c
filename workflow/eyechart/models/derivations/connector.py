"""The connector of a loaded model: its last linear layer, and its output for an image."""

from __future__ import annotations

from typing import Any

from PIL import Image
from torch import Tensor, nn

from eyechart.core.errors import UserError
from eyechart.models.families.base import Adapter, EncodedImage
from eyechart.models.families.language import LanguageAdapter
from eyechart.models.hooks import pass_mode, read_outputs

SIDE = 64  # pixels


def sample_images() -> list[Image.Image]:
    """Return two different images of the same size; the first is white."""
    white = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
    return [white, Image.linear_gradient("L").resize(white.size).convert("RGB")]


def language(adapter: Adapter, rule: str) -> LanguageAdapter:
    """Return an adapter that has a connector and a language model, or raise a UserError."""
    if not isinstance(adapter, LanguageAdapter) or adapter.CONNECTOR is None:
        raise UserError(
            f"derived.by: {rule} needs a connector before a language model, but family "
            f"{adapter.spec.family} has none"
        )
    return adapter


def last_linear(adapter: Adapter, rule: str, width: int) -> nn.Linear:
    """Return the connector's last linear layer, which has the connector's width and a bias."""
    connector = adapter.model.get_submodule(str(adapter.CONNECTOR))
    linear = [m for m in connector.modules() if isinstance(m, nn.Linear)]
    if not linear or linear[-1].out_features != width or linear[-1].bias is None:
        raise UserError(
            f"derived.by: {rule} cannot be folded into a model of family {adapter.spec.family}: "
            "its connector does not end in a linear layer with a bias, unlike those of llava "
            "and llava_next"
        )
    return linear[-1]


def outputs(adapter: Adapter, image: Image.Image) -> tuple[Tensor, EncodedImage]:
    """Return the connector's output for an image, and everything the language model gets from it.

    Raise a UserError if the connector has no output for an image alone, because it reads the
    question too.
    """
    if adapter.scope("connector") != "image":
        raise UserError(
            f"derived.by: the connector of family {adapter.spec.family} also reads the question, "
            "so no lesion can be folded into it; those of llava and llava_next read only the image"
        )
    found: dict[str, Tensor] = {}
    path = str(adapter.CONNECTOR)
    with pass_mode(), read_outputs(adapter.model, [path], found.__setitem__, stop=False):
        (encoded,) = adapter.encode_images([adapter.prepare_image(image)])
    return found[path], encoded


def taken(encoded: EncodedImage) -> list[Tensor]:
    """Return all tensors that the language model gets from an image, via the connector or not."""
    return _tensors([encoded.features, encoded.more.get("early")])


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [t for part in value for t in _tensors(part)] if isinstance(value, list | tuple) else []
