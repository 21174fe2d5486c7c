"""The section of a dataset in the layout ``spair``, and what the layout asks of the workflow."""

from typing import Any, Literal

from eyechart.data.canvas import tasks
from eyechart.plan.config.base import Section, Text, nested, setting
from eyechart.plan.config.dataset import WORDING, Points
from eyechart.plan.layout import Size, of_regions


class SpairWording(Section):
    """The question of SPair-71k, which publishes none."""

    semantic_correspondence: Text = setting("Which point corresponds to REF?", "its question")


def _size(settings: dict[str, Any], count: int) -> Size:
    """Return the size of so many pairs of images: two each, and a canvas."""
    return Size(images=3 * count, items=count)


class Spair(Points):
    """SPair-71k: which of four keypoints is the one marked on another image."""

    LAYOUT = of_regions(
        "spair",
        [tasks.SEMANTIC],
        "apart",
        rendered=False,
        released={"trn": 53_340, "val": 5_384, "test": 12_234},
        size=_size,
    )

    layout: Literal["spair"] = setting(..., "`spair`")
    wording: SpairWording = nested(WORDING)


SECTION = Spair
