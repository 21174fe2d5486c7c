"""The section of a dataset in the layout ``clevr``, and the layout's requirements."""

from typing import Annotated, Any, Literal

from pydantic import Field

from eyechart.data.layouts.clevr import tasks
from eyechart.plan.config.base import (
    UNIQUE,
    Natural,
    PositiveShare,
    Section,
    Unique,
    nested,
    setting,
)
from eyechart.plan.config.dataset import Rendered
from eyechart.plan.layout import Size, published

Family = Literal[
    "query", "query_relation", "query_same", "count", "exist", "compare_count", "compare_attribute"
]
Families = Annotated[list[Family], Field(min_length=1), Unique, UNIQUE]


class QuestionCounts(Section):
    """Questions per scene, by task."""

    color: Natural = setting(1, "questions about a colour")
    shape: Natural = setting(1, "questions about a shape")
    material: Natural = setting(1, "questions about a material")
    size: Natural = setting(1, "questions about a size")
    number: Natural = setting(1, "questions about a number")
    boolean: Natural = setting(1, "questions with the answer yes or no")


class QuestionAndCaptionCounts(QuestionCounts):
    """Questions per scene, by task, with captions."""

    caption: Annotated[int, Field(ge=0, le=1)] = setting(
        0, "open questions for a caption of all objects, scored against several references"
    )


def _size(settings: dict[str, Any], count: int) -> Size:
    """Return the size of this many images; released images have ten questions each."""
    if not isinstance(settings["splits"], dict):
        return Size(images=count, items=count * 10, choices=5)
    each = settings["questions"]
    captions = count * each.get(tasks.CAPTION, 0)
    return Size(images=count, items=count * sum(each.values()), choices=5, open=captions)


class Clevr(Rendered):
    """CLEVR v1.0: questions by answer type, and labels of images."""

    LAYOUT = published(
        "clevr",
        question_keys=("questions", "families", "balance"),
        item_tasks=list(tasks.ITEM_TASKS),
        image_tasks=tasks.IMAGE_TASKS,
        located=True,
        referents=list(tasks.ATTRIBUTES),
        released={"train": 70_000, "val": 15_000, "test": 15_000},
        size=_size,
    )
    RELEASED = ("val",)

    layout: Literal["clevr"] = setting(..., "`clevr`")
    test_share: PositiveShare = setting(
        0.25, "share of the groups in the test set of the derived split"
    )
    families: Families = setting(["query", "count", "exist"], "source `render`: kinds of question")
    balance: bool = setting(True, "source `render`: balance the answers")
    questions: QuestionAndCaptionCounts = nested(
        "source `render`: questions per image of each task"
    )


SECTION = Clevr
