"""The section of a dataset in the layout ``coco``, and what the layout asks of the workflow."""

from typing import Annotated, Any, Literal

from pydantic import Field

from eyechart.data.layouts.coco import tasks
from eyechart.plan.config.base import AsWritten, Count, Natural, Section, Text, nested, setting
from eyechart.plan.config.dataset import WORDING, Rendered
from eyechart.plan.layout import Size, published

_PREPARING = (
    "subset",
    "allow_missing",
    "presence",
    "position",
    "position_margin",
    "counting",
    "most_count",
    "most_objects",
    "wording",
)


class CocoWording(Section):
    """The questions about COCO's images."""

    presence: Text = setting(
        "Is there {a_category} in the image?",
        "question of the tasks `presence_…`; fields `{category}`, `{a_category}`, `{plural}`",
    )
    position: Text = setting(
        "Is this a photo of {a_category} on the {side}?", "of `position`; also the field `{side}`"
    )
    counting: Text = setting("How many {plural} are there in the image?", "of `counting`")
    caption: Text = setting("Describe the image in one sentence.", "of `caption`")


def _size(settings: dict[str, Any], count: int) -> Size:
    """Return the size of so many images; absent categories are counted, too."""
    asked = 6 * settings["presence"] + 2 * settings["position"] + 2 * settings["counting"]
    return Size(images=count, items=count * (asked + 1), choices=4, open=count)


class Coco(Rendered):
    """COCO 2017: presence, position, counting, captions, and labels of images."""

    LAYOUT = published(
        "coco",
        prepare_keys=_PREPARING,
        item_tasks=tasks.ITEM_TASKS,
        image_tasks=(tasks.OBJECT_COUNT,),
        image_prefix="has_",
        captions=True,
        located=True,
        released={"train2017": 118_287, "val2017": 5_000},
        size=_size,
    )
    RELEASED = ("val2017",)

    layout: Literal["coco"] = setting(..., "`coco`")
    subset: Count | None = setting(None, "images of a split, drawn by the seed; null: all")
    allow_missing: bool = setting(
        False, "skip annotated images that are missing; they are counted and listed"
    )
    presence: Natural = setting(
        1,
        "categories per image that are there and are asked for, each beside three that are not: a "
        "random one, a frequent one, and one that often occurs with what is there (POPE)",
    )
    position: Natural = setting(1, "objects per image whose side is asked for")
    position_margin: Annotated[float, Field(ge=0, lt=0.5), AsWritten] = setting(
        0.1, "band about the middle in which no side is asked for", unit="share of a side"
    )
    counting: Natural = setting(1, "categories per image that are counted")
    most_count: Count = setting(10, "highest number that is asked for")
    most_objects: Count = setting(
        10, "highest label of the task `object_count`; more are this and a plus"
    )
    wording: CocoWording = nested(WORDING)


SECTION = Coco
