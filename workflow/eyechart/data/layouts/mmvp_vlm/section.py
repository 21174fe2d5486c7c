"""The section of a dataset in the layout ``mmvp_vlm``, and the layout's requirements."""

from typing import Literal

from eyechart.plan.config.base import setting
from eyechart.plan.config.dataset import Rendered
from eyechart.plan.layout import each, published


class MmvpVlm(Rendered):
    """MMVP-VLM: pairs of images with one statement per image, for encoders."""

    LAYOUT = published(
        "mmvp_vlm",
        form="which_image",
        pairs=True,
        released={"test": 270},
        size=each(images=1, items=1, choices=2),
    )

    layout: Literal["mmvp_vlm"] = setting(..., "`mmvp_vlm`")


SECTION = MmvpVlm
