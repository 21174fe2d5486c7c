"""The sections `readout`, `concepts`, `attention`, `verdict` and `report`."""

from typing import Annotated, Literal

from pydantic import Field

from eyechart.plan.config.base import (
    UNIQUE,
    Count,
    Draws,
    Name,
    Names,
    Natural,
    NonNegative,
    OpenShare,
    Positive,
    Section,
    Share,
    Span,
    Text,
    Texts,
    Unique,
    nested,
    setting,
)

BOOTSTRAP = "draws of the bootstrap by group behind the intervals"
WHERE = ["vision.*", "connector", "lm.*"]


class LinearHeads(Section):
    """Depth heads: one ridge regression per address."""

    strengths: Annotated[list[Positive], Field(min_length=1)] = setting(
        [0.001, 0.01, 0.1, 1], "grid of ridge strengths"
    )
    folds: Annotated[int, Field(ge=2)] = setting(5, "folds of the cross-validation by group")
    tokens: Count = setting(64, "tokens of an image at most")


class DptHead(Section):
    """A depth head over several blocks of the encoder, in the manner of DPT."""

    layers: Count = setting(4, "blocks that it reads")
    width: Count = setting(64, "channels")
    finest: Count = setting(4, "cells along a token's side")
    epochs: Count = setting(40, "epochs at most")
    lr: Positive = setting(0.003, "learning rate")
    batch: Count = setting(8, "images in a step")
    patience: Count = setting(10, "epochs without gain that end the training")
    held_out: OpenShare = setting(0.2, "share of the groups that says when to stop")


class DepthHeads(Section):
    """How depth heads are trained."""

    images: Annotated[int, Field(ge=2)] = setting(800, "most training images")
    linear: LinearHeads = nested("one ridge regression per address")
    dpt: DptHead | None = nested("one head over several blocks; null: none")


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


class ConceptsSettings(Section):
    """Coloured words compared with images of colours: docs/stroop.md."""

    datasets: Names | None = setting(
        None, "datasets in the layout `stroop` that are compared; null: all"
    )
    addresses: Texts = setting(WHERE, "where")
    spans: Annotated[list[Span], Field(min_length=1), Unique, UNIQUE] = setting(
        ["cls", "image_mean", "last"], "which tokens are pooled there"
    )
    columns: Annotated[list[str], Field(min_length=1)] = setting(
        ["*"], "of those, globs over `<address>/<span>` that are compared"
    )
    components: Count = setting(50, "principal components at most; every number up to it is tried")
    neighbours: Count = setting(5, "images that vote")
    power: NonNegative = setting(1, "a vote counts its cosine to this power")
    shown: Natural = setting(5, "components in the charts by address")
    threshold: Share = setting(0.8, "accuracy from which on concepts count as separate")
    permutations: Count = setting(100, "draws of the control")
    bootstrap: Draws = setting(1000, BOOTSTRAP)


class Attention(Section):
    """Where a language model attends, and which block knows the answer: docs/attention.md."""

    datasets: Names | None = setting(
        None,
        "datasets whose items are traced, prompted as under `behavior`; null: all whose layout "
        "marks regions",
    )
    items: Count = setting(8, "items of each task, drawn by the seed")
    images: Natural = setting(2, "of those, items whose whole maps are stored")
    top: Count = setting(1, "words kept of every image token")
    bootstrap: Draws = setting(1000, BOOTSTRAP)


class VerdictSettings(Section):
    """The rules by which the verdict of a skill is decided: docs/verdict.md."""

    alpha: OpenShare = setting(0.01, "q below which two stages count as different")
    margin: Share = setting(0.1, "stages closer than this count as equal", unit="accuracy")
    encoder: Text = setting(
        "vision.read",
        "the encoder's address; `vision.read`: the vision outputs that the connector takes",
    )
    blind: Literal["blank", "noise", "swapped", "no_image"] = setting(
        "blank", "the condition whose answers count as given without the image"
    )
    patterns: dict[Name, str] | None = setting(
        None,
        "by dataset of a VLM's questions, the dataset of statements that its encoder matches; "
        "null: each of the layout `mmvp` with the first of `mmvp_vlm`",
    )


class Report(Section):
    """What the report shows."""

    title: Text = setting("Eye exam", "heading")
    gallery: Count = setting(6, "images with questions shown per dataset")
    gallery_px: Annotated[int, Field(ge=16)] = setting(160, "width of a shown image", unit="px")
    differing: Natural = setting(
        4, "items shown per model and dataset that are answered differently without the image"
    )
    worst_pairs: Count = setting(6, "pairs of images shown on a model's page about them")
    mined: Count = setting(100, "mined pairs shown on their sheet")
    maps: Natural = setting(2, "items per model and dataset whose attention is drawn")
    map_layers: Count = setting(3, "blocks whose attention is drawn, of each such item")
    alpha: OpenShare = setting(0.01, "q below which a finding counts as significant")
    selectivity: Share = setting(
        0.10, "selectivity above which an address counts as holding the information"
    )
    curve_points: Annotated[int, Field(ge=10)] = setting(
        400, "points of a training curve that are drawn at most"
    )
    png_scale: Positive = setting(2, "PNG pixels per SVG pixel")
    megabytes: Positive = setting(10, "largest size of the page", unit="MB")
