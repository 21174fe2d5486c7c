"""The section `controlled`: the recipe shared by all controlled models."""

from typing import Literal

from eyechart.plan.config.base import (
    Count,
    Few,
    Name,
    Natural,
    NonNegative,
    Rate,
    Section,
    Seed,
    Size,
    nested,
    setting,
)
from eyechart.plan.config.tiny_models import Alignment, Augment, Stage


class OfConnector(Alignment):
    """Training of the connector alone; encoders and language model are frozen."""

    steps: Count = setting(120, "total number of steps")
    warmup: Natural = setting(15, "steps until the peak learning rate")
    eval_every: Count = setting(120, "steps between evaluations")


class OfConnectorAndLm(OfConnector):
    """Training of the connector and the language model; encoders are frozen."""

    lr: Rate = setting(1.0e-3, "peak learning rate")


class OfAll(OfConnectorAndLm):
    """Training of all weights, from the same start."""

    lr_vision: NonNegative = setting(0.5, "learning rate of the vision encoder, relative to `lr`")


class OfLabels(Stage):
    """Training of an encoder on object labels."""

    batch: Size = setting(64, "images per step")
    steps: Count = setting(600, "total number of steps")
    lr: Rate = setting(1.0e-3, "peak learning rate")


class ControlledSettings(Section):
    """Training of controlled models: docs/controlled_models.md."""

    data: Name | None = setting(
        None,
        "the dataset in the layout `clevr` with the splits `train` for training and `val` for "
        "evaluation; it is not examined",
    )
    images: Count = setting(1500, "number of training images")
    held_out: Count = setting(100, "held-out images for the curves")
    seed: Seed = setting(7, "seed of all randomness in their training")
    device: Literal["auto", "cpu", "cuda"] = setting(
        "auto", "training device; on a GPU, floating-point sums differ, and so do the weights"
    )
    queries: Few = setting(64, "queries of connectors that use queries")
    augment: Augment = nested("augmentation of training images")
    connector: OfConnector = nested("training of the connector alone")
    connector_and_lm: OfConnectorAndLm = nested("training of the connector and the language model")
    all: OfAll = nested("training of all weights")
    labels: OfLabels = nested("training of an encoder on object labels")
