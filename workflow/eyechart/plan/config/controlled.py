"""The section `controlled`: the recipe that all controlled models share."""

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
    """The connector alone; encoders and language model are frozen."""

    steps: Count = setting(120, "steps in all")
    warmup: Natural = setting(15, "steps until the highest learning rate")
    eval_every: Count = setting(120, "steps between two evaluations")


class OfAll(OfConnector):
    """All weights, from the same start."""

    lr: Rate = setting(1.0e-3, "highest learning rate")
    lr_vision: NonNegative = setting(0.5, "share of it for the vision encoder")


class OfLabels(Stage):
    """An encoder that is trained on object labels."""

    batch: Size = setting(64, "images in a step")
    steps: Count = setting(600, "steps in all")
    lr: Rate = setting(1.0e-3, "highest learning rate")


class ControlledSettings(Section):
    """How controlled models are trained: docs/controlled_models.md."""

    data: Name | None = setting(
        None,
        "the dataset in the layout `clevr` whose splits `train` and `val` they are trained and "
        "measured on; it is not examined",
    )
    images: Count = setting(1500, "images trained on")
    held_out: Count = setting(100, "images that curves are measured on")
    seed: Seed = setting(7, "all randomness of their training is derived from it")
    device: Literal["auto", "cpu", "cuda"] = setting(
        "auto", "where they are trained; on a GPU, float sums and hence weights differ"
    )
    queries: Few = setting(64, "queries of connectors that have some")
    augment: Augment = nested("how training images are varied")
    connector: OfConnector = nested("training of the connector alone")
    all: OfAll = nested("training of all weights")
    labels: OfLabels = nested("training of an encoder on object labels")
