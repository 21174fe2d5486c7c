"""The section `verdict`."""

from typing import Annotated, Literal

from pydantic import Field

from eyechart.plan.config.base import Name, OpenShare, Rising, Section, Share, Text, setting


class VerdictSettings(Section):
    """The rules that decide the verdict of a skill: docs/verdict.md."""

    alpha: OpenShare = setting(0.01, "q below which two stages count as different")
    margin: Share = setting(0.1, "stages closer than this count as equal", unit="accuracy")
    encoder: Text = setting(
        "vision.read",
        "the encoder's address; `vision.read`: the vision outputs that the connector reads",
    )
    blind: Literal["blank", "noise", "swapped", "no_image"] = setting(
        "blank", "the condition that counts as answering without the image"
    )
    look: Literal["once", "sequential"] = setting(
        "once",
        "`once`: answer all items; `sequential`: answer items in steps and continue only for "
        "undecided skills, with tests that spend their level over the steps",
    )
    looks: Annotated[
        list[Annotated[int, Field(ge=2, le=1_000_000)]], Field(min_length=1), Rising
    ] = setting(
        [36, 72, 144, 216, 288, 400],
        "with `look: sequential`, the number of items per skill answered after each step; the last "
        "is the maximum, and datasets may have fewer",
        unit="items",
    )
    patterns: dict[Name, str] | None = setting(
        None,
        "by dataset of questions for a VLM, the dataset of statements that its encoder matches; "
        "null: each in the layout `mmvp` with the first in the layout `mmvp_vlm`",
    )
