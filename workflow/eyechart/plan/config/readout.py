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
    tokens: Count = setting(64, "maximum number of tokens per image")


class DptHead(Section):
    """Depth heads in the style of DPT, one per component; null disables them."""

    layers: Few = setting(
        4, "blocks read by a head; a head at a single address reads it this many times"
    )
    width: Size = setting(64, "channels")
    finest: Few = setting(4, "grid cells along a token's side at the finest level")
    epochs: Size = setting(40, "maximum number of epochs")
    lr: Rate = setting(0.003, "learning rate")
    batch: Size = setting(8, "images per step")
    patience: Count = setting(10, "epochs without improvement before training stops")
    held_out: OpenShare = setting(0.2, "share of the groups held out for early stopping")


class DepthHeads(Section):
    """How depth heads are trained."""

    images: Annotated[int, Field(ge=2, le=1_000_000)] = setting(
        800, "maximum number of training images"
    )
    linear: LinearHeads = nested("one ridge regression per address")
    dpt: DptHead | None = nested("larger heads over several blocks; null: none")


class ReadoutSettings(Section):
    """Answers from a model's representations alone, at every address with image tokens.

    Every image token of these datasets is stored, which takes images × tokens × width × addresses ×
    2 bytes of disk space. List fewer addresses for large models. See docs/datasets.md and
    docs/verdict.md.
    """

    datasets: Names | None = setting(
        None, "datasets with readouts; null: all with a layout that marks regions"
    )
    depth: str | None = setting(
        "auto",
        "the dataset for training depth heads; `auto`: the first with depth maps in its layout; "
        "null: none",
    )
    addresses: Texts = setting(WHERE, "addresses where image tokens are stored and read")
    heads: DepthHeads = nested("how depth heads are trained")
