"""The section of a dataset in the layout ``mmvp_vlm``, and what the layout asks of the workflow."""

from typing import Literal

from eyechart.plan.config.base import setting
from eyechart.plan.config.dataset import Rendered
from eyechart.plan.layout import published


class MmvpVlm(Rendered):
    """MMVP-VLM: pairs of images with a statement each, for encoders."""

    LAYOUT = published("mmvp_vlm", form="which_image", pairs=True)

    layout: Literal["mmvp_vlm"] = setting(..., "`mmvp_vlm`")


SECTION = MmvpVlm
