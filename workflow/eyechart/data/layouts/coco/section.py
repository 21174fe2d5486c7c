"""The section of a dataset in the layout ``coco``, and the layout's requirements."""

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
        "Is this a photo of {a_category} on the {side}?",
        "question of `position`; also has the field `{side}`",
    )
    counting: Text = setting("How many {plural} are there in the image?", "question of `counting`")
    caption: Text = setting("Describe the image in one sentence.", "question of `caption`")


def _size(settings: dict[str, Any], count: int) -> Size:
    """Return the size of this many images; absent categories count too."""
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
    subset: Count | None = setting(None, "images per split, drawn with the seed; null: all")
    allow_missing: bool = setting(
        False, "skip missing annotated images; they are counted and listed"
    )
    presence: Natural = setting(
        1,
        "present categories per image to ask about, each with three absent ones: a random one, a "
        "frequent one, and one that often co-occurs with the present categories (POPE)",
    )
    position: Natural = setting(1, "questions per image about the side of an object")
    position_margin: Annotated[float, Field(ge=0, lt=0.5), AsWritten] = setting(
        0.1, "half-width of the middle band without such questions", unit="share of a side"
    )
    counting: Natural = setting(1, "counting questions per image")
    most_count: Count = setting(10, "highest count in questions")
    most_objects: Count = setting(
        10,
        "highest label of the task `object_count`; higher counts get this label with a plus sign",
    )
    wording: CocoWording = nested(WORDING)


SECTION = Coco
