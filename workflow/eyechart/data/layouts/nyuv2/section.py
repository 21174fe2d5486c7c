"""The section of a dataset in the layout ``nyuv2``, and the layout's requirements."""

from typing import Literal

from eyechart.plan.config.base import Count, PositiveShare, setting
from eyechart.plan.config.dataset import Rendered
from eyechart.plan.layout import each, published


class Nyuv2(Rendered):
    """NYU Depth V2: images with depth maps, for training depth heads; no items."""

    LAYOUT = published(
        "nyuv2",
        prepare_keys=("most",),
        depth=True,
        released={"train": 795, "test": 654},
        size=each(images=1, items=0),
    )
    RELEASED = ("train", "test")

    layout: Literal["nyuv2"] = setting(..., "`nyuv2`")
    test_share: PositiveShare = setting(0.25, "share of the groups for testing depth heads")
    most: Count | None = setting(
        None, "maximum number of images per split, drawn with the seed; null: all"
    )


SECTION = Nyuv2
