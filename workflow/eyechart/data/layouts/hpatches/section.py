"""The section of a dataset in the layout ``hpatches``, and the layout's requirements."""

from typing import Literal

from eyechart.data.canvas import tasks
from eyechart.plan.config.base import Section, Text, nested, setting
from eyechart.plan.config.dataset import WORDING, Points
from eyechart.plan.layout import each, of_regions


class HpatchesWording(Section):
    """The question of HPatches, which publishes none."""

    low_level_matching: Text = setting("Which point corresponds to REF?", "its question")


class Hpatches(Points):
    """HPatches: which of four points is the marked one, under another view or light."""

    LAYOUT = of_regions(
        "hpatches",
        [tasks.LOW_LEVEL],
        "apart",
        rendered=False,
        released={"all": 580},
        size=each(images=3, items=1),  # two images and a canvas
    )
    RELEASED = ("all",)

    layout: Literal["hpatches"] = setting(..., "`hpatches`")
    wording: HpatchesWording = nested(WORDING)


SECTION = Hpatches
