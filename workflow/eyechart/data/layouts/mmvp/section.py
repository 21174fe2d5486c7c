"""The section of a dataset in the layout ``mmvp``, and the layout's requirements."""

from typing import Literal

from eyechart.data.layouts.mmvp import tasks
from eyechart.plan.config.base import setting
from eyechart.plan.config.dataset import Rendered
from eyechart.plan.layout import each, published


class Mmvp(Rendered):
    """MMVP: pairs of images with one question and opposite answers."""

    LAYOUT = published(
        "mmvp",
        prepare_keys=("corrections",),
        item_tasks=(*tasks.PATTERNS, "mmvp"),
        pairs=True,
        released={"test": 300},
        size=each(images=1, items=1, choices=2),
    )

    layout: Literal["mmvp"] = setting(..., "`mmvp`")
    corrections: bool = setting(
        True, "correct the wrong published labels of two pairs; the report states this"
    )


SECTION = Mmvp
