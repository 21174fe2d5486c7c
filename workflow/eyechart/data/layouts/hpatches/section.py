"""The section of a dataset in the layout ``hpatches``, and what the layout asks of the workflow."""

from typing import Any, Literal

from eyechart.data.canvas import tasks
from eyechart.plan.config.base import Section, Text, nested, setting
from eyechart.plan.config.dataset import WORDING, Points
from eyechart.plan.layout import Size, of_regions


class HpatchesWording(Section):
    """The question of HPatches, which publishes none."""

    low_level_matching: Text = setting("Which point corresponds to REF?", "its question")


def _size(settings: dict[str, Any], count: int) -> Size:
    """Return the size of so many pairs of images: two each, and a canvas."""
    return Size(images=3 * count, items=count)


class Hpatches(Points):
    """HPatches: which of four points is the one marked, from another view or in other light."""

    LAYOUT = of_regions(
        "hpatches", [tasks.LOW_LEVEL], "apart", rendered=False, released={"all": 580}, size=_size
    )
    RELEASED = ("all",)

    layout: Literal["hpatches"] = setting(..., "`hpatches`")
    wording: HpatchesWording = nested(WORDING)


SECTION = Hpatches
