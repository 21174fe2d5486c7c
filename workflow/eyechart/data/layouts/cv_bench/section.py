"""The section of a dataset in the layout ``cv_bench``, and the layout's requirements."""

from typing import Literal

from eyechart.data.canvas import tasks
from eyechart.plan.config.base import Count, Section, Text, nested, optional, setting
from eyechart.plan.config.dataset import MOST, OFFICIAL, OWN_CANVAS, WORDED, WORDING, Rendered
from eyechart.plan.config.rendering import CanvasOverride
from eyechart.plan.layout import each, of_regions


class CvBenchWording(Section):
    """The question of CV-Bench."""

    depth_order: Text = setting(OFFICIAL, WORDED + "; fields `{a}`, `{b}`: the two objects")


class CvBench(Rendered):
    """CV-Bench: which of two objects in boxes is nearer."""

    LAYOUT = of_regions(
        "cv_bench",
        [tasks.DEPTH],
        released={"test": 600},
        size=each(images=2, items=1, choices=2),  # an image and a canvas
    )

    layout: Literal["cv_bench"] = setting(..., "`cv_bench`")
    most: Count | None = setting(None, MOST)
    wording: CvBenchWording = nested(WORDING)
    canvas: CanvasOverride = optional(OWN_CANVAS)


SECTION = CvBench
