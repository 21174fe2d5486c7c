"""The section of a dataset in the layout ``mmvp_vlm``, and what the layout asks of the workflow."""

from typing import Any, Literal

from eyechart.plan.config.base import setting
from eyechart.plan.config.dataset import Rendered
from eyechart.plan.layout import Size, published


def _size(settings: dict[str, Any], count: int) -> Size:
    """Return the size of so many images with a statement each."""
    return Size(images=count, items=count, choices=2)


class MmvpVlm(Rendered):
    """MMVP-VLM: pairs of images with a statement each, for encoders."""

    LAYOUT = published(
        "mmvp_vlm", form="which_image", pairs=True, released={"test": 270}, size=_size
    )

    layout: Literal["mmvp_vlm"] = setting(..., "`mmvp_vlm`")


SECTION = MmvpVlm
