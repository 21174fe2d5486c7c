"""The section `readout`."""

from typing import Annotated

from pydantic import Field

from eyechart.plan.config.base import (
    Count,
    Few,
    Folds,
    Names,
    OpenShare,
    Positive,
    Rate,
    Section,
    Size,
    Texts,
    nested,
    setting,
)

WHERE = ["vision.*", "connector", "lm.*"]


class LinearHeads(Section):
    """Depth heads: one ridge regression per address."""

    strengths: Annotated[list[Positive], Field(min_length=1)] = setting(
        [0.001, 0.01, 0.1, 1], "grid of ridge strengths"
    )
    folds: Folds = setting(5, "folds of the cross-validation by group")
    tokens: Count = setting(64, "tokens of an image at most")


class DptHead(Section):
    """Depth heads in the manner of DPT, one per component; null switches them off."""

    layers: Few = setting(
        4, "blocks that a head reads; a head at one address reads it as many times"
    )
    width: Size = setting(64, "channels")
    finest: Few = setting(4, "cells along a token's side")
    epochs: Size = setting(40, "epochs at most")
    lr: Rate = setting(0.003, "learning rate")
    batch: Size = setting(8, "images in a step")
    patience: Count = setting(10, "epochs without gain that end the training")
    held_out: OpenShare = setting(0.2, "share of the groups that says when to stop")


class DepthHeads(Section):
    """How depth heads are trained."""

    images: Annotated[int, Field(ge=2, le=1_000_000)] = setting(800, "most training images")
    linear: LinearHeads = nested("one ridge regression per address")
    dpt: DptHead | None = nested("larger heads over several blocks; null: none")


class ReadoutSettings(Section):
    """Answers from a model's representations alone, at every address with image tokens.

    Every image token of these datasets is kept, which takes images × tokens × width × addresses × 2
    bytes of disk: name fewer addresses for large models. See docs/datasets.md and docs/verdict.md.
    """

    datasets: Names | None = setting(
        None, "datasets whose items are read out; null: all whose layout marks regions"
    )
    depth: str | None = setting(
        "auto",
        "the dataset that depth heads are trained on; `auto`: the first whose layout has depth "
        "maps; null: none",
    )
    addresses: Texts = setting(WHERE, "where image tokens are kept and read")
    heads: DepthHeads = nested("how depth heads are trained")
