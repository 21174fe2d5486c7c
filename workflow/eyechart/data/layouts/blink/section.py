"""The section of a dataset in the layout ``blink``, and the layout's requirements."""

from typing import Annotated, Any, Literal

from pydantic import Field

from eyechart.data.canvas import tasks
from eyechart.plan.config.base import (
    UNIQUE,
    Count,
    Section,
    Text,
    Unique,
    nested,
    optional,
    setting,
)
from eyechart.plan.config.dataset import MOST, OFFICIAL, OWN_CANVAS, WORDED, WORDING, Rendered
from eyechart.plan.config.rendering import CanvasOverride
from eyechart.plan.layout import Size, of_regions


class BlinkWording(Section):
    """The questions of BLINK's skills."""

    semantic_correspondence: Text = setting(OFFICIAL, WORDED)
    functional_correspondence: Text = setting(OFFICIAL, WORDED)
    low_level_matching: Text = setting(OFFICIAL, WORDED)
    art_style: Text = setting(OFFICIAL, WORDED)


Skill = Literal[
    "semantic_correspondence", "functional_correspondence", "low_level_matching", "art_style"
]


def _size(settings: dict[str, Any], count: int) -> Size:
    """Return the size of this many items per skill: up to three images each, and a canvas."""
    items = count * len(settings["skills"])
    return Size(images=4 * items, items=items)


class Blink(Rendered):
    """BLINK: semantic and functional correspondence, low-level matching, art style."""

    LAYOUT = of_regions(
        "blink",
        list(tasks.BLINK.values()),
        "skills",
        scene_keys=("skills",),
        released={"val": 172},  # items of the largest of the four
        size=_size,
    )
    RELEASED = ("val",)

    layout: Literal["blink"] = setting(..., "`blink`")
    skills: Annotated[list[Skill], Field(min_length=1), Unique, UNIQUE] = setting(
        list(BlinkWording.model_fields), "skills to examine"
    )
    most: Count | None = setting(None, MOST)
    wording: BlinkWording = nested(WORDING)
    canvas: CanvasOverride = optional(OWN_CANVAS)

    def all_tasks(self) -> list[str]:
        """Return the tasks that are probed by default: the examined skills."""
        return list(self.skills)


SECTION = Blink
