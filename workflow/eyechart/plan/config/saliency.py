"""The section `saliency`."""

from typing import Annotated, Literal

from pydantic import Field

from eyechart.plan.config.attention import BOOTSTRAP
from eyechart.plan.config.base import (
    UNIQUE,
    Batch,
    Count,
    Draws,
    Names,
    Section,
    Text,
    Texts,
    Unique,
    setting,
)

Method = Literal["gradient", "integrated", "grad_cam", "relevancy"]


class SaliencySection(Section):
    """Which image tokens an answer depends on, by gradients: docs/saliency.md."""

    datasets: Names = setting(
        [], "datasets whose answers are attributed to image tokens, prompted as under `behavior`"
    )
    methods: Annotated[list[Method], Field(min_length=1), Unique, UNIQUE] = setting(
        ["gradient", "integrated", "grad_cam", "relevancy"],
        "`gradient` times states; `integrated` gradients; `grad_cam`; `relevancy` over the "
        "language model's attention",
    )
    items: Count = setting(12, "items of each task, drawn by the seed from the test groups")
    addresses: Texts | None = setting(
        None,
        "where, of gradients and integrated gradients: the connector, blocks of the vision "
        "encoder; null: the connector, or an encoder's block before the last",
    )
    cam_addresses: Texts | None = setting(
        None,
        "where, of Grad-CAM: blocks of the vision encoder; null: the one that the connector reads "
        "last, or an encoder's block before the last",
    )
    target: Text = setting("right", "choice that is explained: `right`, or a choice such as `red`")
    baseline: Literal["blank", "mean"] = setting(
        "blank", "image that integrated gradients start from: white, or of the image's mean colour"
    )
    steps: Count = setting(
        32,
        "points of integrated gradients between that image and the item's; 4 and 16 times as many "
        "for items whose attributions do not sum to the difference of the scores, to 1 %",
    )
    points: Count = setting(8, "steps of a deletion curve, from no image token to all")
    random: Count = setting(3, "random orders of deletion, as a control")
    batch_size: Batch = setting(32, "items in one forward pass; `auto` as under `extraction`")
    bootstrap: Draws = setting(1000, BOOTSTRAP)
