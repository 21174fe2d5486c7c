"""The section of a dataset in the layout ``mmvp``, and what the layout asks of the workflow."""

from typing import Any, Literal

from eyechart.data.layouts.mmvp import tasks
from eyechart.plan.config.base import setting
from eyechart.plan.config.dataset import Rendered
from eyechart.plan.layout import Size, published


def _size(settings: dict[str, Any], count: int) -> Size:
    """Return the size of so many images with a question each."""
    return Size(images=count, items=count, choices=2)


class Mmvp(Rendered):
    """MMVP: pairs of images with one question and opposite answers."""

    LAYOUT = published(
        "mmvp",
        prepare_keys=("corrections",),
        item_tasks=(*tasks.PATTERNS, "mmvp"),
        pairs=True,
        released={"test": 300},
        size=_size,
    )

    layout: Literal["mmvp"] = setting(..., "`mmvp`")
    corrections: bool = setting(
        True, "correct the two published labels that were found to be wrong; the report says so"
    )


SECTION = Mmvp
