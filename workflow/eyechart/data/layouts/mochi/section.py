"""The section of a dataset in the layout ``mochi``, and the layout's requirements."""

from typing import Literal

from eyechart.data.canvas import tasks
from eyechart.plan.config.base import Count, Section, Text, nested, optional, setting
from eyechart.plan.config.dataset import MOST, OWN_CANVAS, WORDING, Rendered
from eyechart.plan.config.rendering import CanvasOverride
from eyechart.plan.layout import each, of_regions


class MochiWording(Section):
    """The question of MOCHI, which publishes none."""

    odd_one_out: Text = setting("Which image shows another object?", "its question")


class Mochi(Rendered):
    """MOCHI: which of three or four images shows a different object."""

    LAYOUT = of_regions(
        "mochi",
        [tasks.ODD],
        released={"train": 2_019},
        size=each(images=5, items=1),  # up to four images and a canvas
    )
    RELEASED = ("train",)

    layout: Literal["mochi"] = setting(..., "`mochi`")
    most: Count | None = setting(None, MOST)
    wording: MochiWording = nested(WORDING)
    canvas: CanvasOverride = optional(OWN_CANVAS)


SECTION = Mochi
