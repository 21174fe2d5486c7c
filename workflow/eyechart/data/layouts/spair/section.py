"""The section of a dataset in the layout ``spair``, and the layout's requirements."""

from typing import Literal

from eyechart.data.canvas import tasks
from eyechart.plan.config.base import Section, Text, nested, setting
from eyechart.plan.config.dataset import WORDING, Points
from eyechart.plan.layout import each, of_regions


class SpairWording(Section):
    """The question of SPair-71k, which publishes none."""

    semantic_correspondence: Text = setting("Which point corresponds to REF?", "its question")


class Spair(Points):
    """SPair-71k: which of four keypoints corresponds to the one marked on another image."""

    LAYOUT = of_regions(
        "spair",
        [tasks.SEMANTIC],
        "apart",
        rendered=False,
        released={"trn": 53_340, "val": 5_384, "test": 12_234},
        size=each(images=3, items=1),  # two images and a canvas
    )

    layout: Literal["spair"] = setting(..., "`spair`")
    wording: SpairWording = nested(WORDING)


SECTION = Spair
