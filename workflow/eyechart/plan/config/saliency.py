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
    """Image tokens that an answer depends on, by gradients: docs/saliency.md."""

    datasets: Names = setting(
        [], "datasets with answers attributed to image tokens, prompted as under `behavior`"
    )
    methods: Annotated[list[Method], Field(min_length=1), Unique, UNIQUE] = setting(
        ["gradient", "integrated", "grad_cam", "relevancy"],
        "`gradient` times states; `integrated` gradients; `grad_cam`; `relevancy` over the "
        "language model's attention",
    )
    items: Count = setting(12, "items per task, drawn with the seed from the test groups")
    addresses: Texts | None = setting(
        None,
        "addresses for gradients and integrated gradients: the connector or blocks of the vision "
        "encoder; null: the connector, or the second-to-last block of an encoder",
    )
    cam_addresses: Texts | None = setting(
        None,
        "addresses for Grad-CAM: blocks of the vision encoder; null: the last block that the "
        "connector reads, or the second-to-last block of an encoder",
    )
    target: Text = setting("right", "choice to explain: `right`, or a choice such as `red`")
    baseline: Literal["blank", "mean"] = setting(
        "blank", "baseline image of integrated gradients: white, or the image's mean colour"
    )
    steps: Count = setting(
        32,
        "points of integrated gradients between baseline and image; 4 and then 16 times as many if "
        "attributions do not sum to the score difference within 1%",
    )
    points: Count = setting(8, "steps of a deletion curve, from none to all of the image tokens")
    random: Count = setting(3, "random orders of deletion, as a control")
    batch_size: Batch = setting(32, "items per forward pass; `auto` as under `extraction`")
    bootstrap: Draws = setting(1000, BOOTSTRAP)
