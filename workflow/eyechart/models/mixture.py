"""A LLaVA with one or two frozen encoders and a chosen connector, as a transformers class.

Two encoders are mixed as in MMVP (Tong et al. 2024, section 5). ``additive``: their tokens are
added before a shared connector, weighted (1 - share) and share. ``interleaved``: each encoder has
its own connector, and their tokens alternate, with the first encoder's at even positions.
``Towers`` concatenates the encoders' tokens along the width; the connector mixes them.
"""

from __future__ import annotations

from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling

HEADS = 2  # of connectors with attention
CONNECTORS = ("linear", "mlp", "cross_attention", "qformer")
QUERIED = ("cross_attention", "qformer")


class TowersConfig(PreTrainedConfig):
    """The encoders of a mixture.

    ``towers`` are the encoders' configurations, ``layers`` the hidden state read from each, and
    ``scales`` the mean and standard deviation of each channel that each encoder expects; ``scale``
    is the image processor's.
    """

    model_type = "eyechart_towers"
    towers: list[Any] | None = None
    layers: list[Any] | None = None
    scales: list[Any] | None = None
    scale: list[Any] | None = None
    hidden_size: int = 0  # the sum of the encoders' widths
    image_size: int = 0  # of the image processor
    patch_size: int = 0  # of the first encoder, which sees images of that size


class Towers(PreTrainedModel):
    """One or more frozen encoders that see the same image."""

    config_class = TowersConfig
    base_model_prefix = "towers"
    main_input_name = "pixel_values"
    _supports_sdpa = True

    def __init__(self, config: TowersConfig) -> None:
        super().__init__(config)
        own = [AutoConfig.for_model(**tower) for tower in config.towers or ()]
        self.towers = nn.ModuleList(AutoModel.from_config(one) for one in own)
        self.grid = config.image_size // config.patch_size
        self.post_init()

    def forward(self, pixel_values: Tensor, **options: Any) -> BaseModelOutputWithPooling:
        """Return the concatenated hidden states of all encoders as the only hidden state.

        Its shape is (b, 1 + patches, sum of widths); the encoders' first tokens come first.
        """
        found: list[Tensor] = []
        for tower, layer, size in zip(self.towers, self.config.layers, self._sizes(), strict=True):
            pixels = self._seen_by(pixel_values, len(found), size)
            own = _of_other_size(tower, size)
            states = tower(pixels, output_hidden_states=True, **own).hidden_states[layer]
            found.append(torch.cat([states[:, :1], states[:, -(self.grid**2) :]], dim=1))
        return BaseModelOutputWithPooling(hidden_states=(torch.cat(found, dim=-1),))

    def _sizes(self) -> list[int]:
        """Return the side of each encoder's input in pixels; all get the first encoder's grid."""
        return [self.grid * int(one["patch_size"]) for one in self.config.towers]

    def _seen_by(self, pixels: Tensor, number: int, size: int) -> Tensor:
        """Return the pixels (b, 3, h, w) at the scale and size that an encoder expects."""
        given, own = self.config.scale, self.config.scales[number]
        if own != given:
            (m, s), (mean, std) = (
                [torch.tensor(part, dtype=pixels.dtype, device=pixels.device)[:, None, None]
                 for part in scale] for scale in (given, own)
            )  # fmt: skip
            pixels = (pixels * s + m - mean) / std
        if pixels.shape[-1] != size:
            resize = partial(nn.functional.interpolate, mode="bicubic", antialias=True)
            pixels = resize(pixels.float(), (size, size)).to(pixels.dtype)
        return pixels


def _of_other_size(tower: Any, size: int) -> dict[str, bool]:
    """Return the option with which an encoder accepts images of a size other than its own.

    Without it, CLIP raises an error. Some encoders, such as DINOv2, always accept other sizes.
    """
    name = "interpolate_pos_encoding"
    accepts = name in signature(tower.forward).parameters
    return {name: True} if accepts and size != tower.config.image_size else {}


class MixtureConfig(LlavaConfig):
    """LLaVA's configuration, extended by the mixing rule and the connector."""

    model_type = "eyechart_mixture"
    connector: str = "mlp"
    inner: int = 128  # width inside the connector
    queries: int = 0  # number of learned queries, for connectors that have them
    mix: str | None = None  # additive, interleaved
    share: float = 0.0  # weight of the second encoder, if tokens are added

    @property
    def widths(self) -> list[int]:
        """The widths of the encoders."""
        towers: list[dict[str, Any]] = self.vision_config.towers  # type: ignore[union-attr]
        return [int(tower["hidden_size"]) for tower in towers]


class Mlp(nn.Module):
    """LLaVA's connector; without the activation, a linear map with as many parameters."""

    def __init__(self, width: int, inner: int, out: int, linear: bool) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(width, inner)
        self.act = nn.Identity() if linear else nn.GELU()
        self.linear_2 = nn.Linear(inner, out)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map each token (b, t, d) independently."""
        mapped: Tensor = self.linear_2(self.act(self.linear_1(tokens)))
        return mapped


class CrossAttention(nn.Module):
    """Learned queries that attend to the image's tokens once."""

    def __init__(self, width: int, inner: int, out: int, queries: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(queries, inner))
        self.attend = nn.MultiheadAttention(
            inner, HEADS, kdim=width, vdim=width, batch_first=True, bias=True
        )
        self.out = nn.Linear(inner, out)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return a token (b, q, d) per query for image tokens (b, t, d)."""
        asked = self.queries.expand(len(tokens), -1, -1)
        found: Tensor = self.out(self.attend(asked, tokens, tokens, need_weights=False)[0])
        return found


class QFormer(nn.Module):
    """A small Q-Former (BLIP-2, Li et al. 2023): one block with self-attention of its queries."""

    def __init__(self, width: int, inner: int, out: int, queries: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(queries, inner))
        self.image = nn.Linear(width, inner)
        self.block = nn.TransformerDecoderLayer(
            inner, HEADS, 2 * inner, dropout=0.0, activation="gelu", batch_first=True
        )
        self.out = nn.Linear(inner, out)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return a token (b, q, d) per query for image tokens (b, t, d)."""
        asked = self.queries.expand(len(tokens), -1, -1)
        found: Tensor = self.out(self.block(asked, self.image(tokens)))
        return found


def connector(kind: str, width: int, inner: int, out: int, queries: int) -> nn.Module:
    """Return a new connector from width ``width`` to the language model's width ``out``."""
    if kind in QUERIED:
        made = CrossAttention if kind == "cross_attention" else QFormer
        return made(width, inner, out, queries)
    return Mlp(width, inner, out, linear=kind == "linear")


def inner_width(kind: str, width: int, out: int, queries: int) -> int:
    """Return the inner width that gives a connector about as many parameters as LLaVA's."""

    def size(kind: str, inner: int) -> int:
        with torch.device("meta"):
            made = connector(kind, width, inner, out, queries)
        return sum(parameter.numel() for parameter in made.parameters())

    if kind not in QUERIED:
        return out
    wanted = size("mlp", out)
    return min(range(HEADS, 4 * out, HEADS), key=lambda inner: abs(size(kind, inner) - wanted))


class Connector(nn.Module):
    """The connector of a mixture; it holds one per encoder if tokens are interleaved."""

    def __init__(self, config: MixtureConfig) -> None:
        super().__init__()
        self.widths, self.mix, self.share = config.widths, config.mix, config.share
        own = self.widths if self.mix == "interleaved" else self.widths[:1]
        out: int = config.text_config.hidden_size  # type: ignore[union-attr]
        sizes = (config.inner, out, config.queries)
        self.parts = nn.ModuleList(connector(config.connector, width, *sizes) for width in own)

    def forward(self, features: Tensor) -> Tensor:
        """Return the language model's tokens (b, t, d) for tokens (b, p, sum of widths)."""
        towers = features.split(self.widths, dim=-1)
        if self.mix == "interleaved":
            found = [part(tower) for part, tower in zip(self.parts, towers, strict=True)]
            return torch.stack(found, dim=2).flatten(1, 2)  # 0: first, 1: second, 2: first, …
        if self.mix == "additive":
            towers = ((1 - self.share) * towers[0] + self.share * towers[1],)
        mapped: Tensor = self.parts[0](towers[0])
        return mapped


class Mixture(LlavaForConditionalGeneration):
    """The complete model."""

    config_class = MixtureConfig

    def __init__(self, config: MixtureConfig) -> None:
        super().__init__(config)
        self.model.multi_modal_projector = Connector(config)
        self.post_init()


AutoConfig.register(TowersConfig.model_type, TowersConfig)
AutoConfig.register(MixtureConfig.model_type, MixtureConfig)
AutoModel.register(TowersConfig, Towers)
