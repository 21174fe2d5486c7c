"""The section `verdict`."""

from typing import Annotated, Literal

from pydantic import Field

from eyechart.plan.config.base import Name, OpenShare, Rising, Section, Share, Text, setting


class VerdictSettings(Section):
    """The rules by which the verdict of a skill is decided: docs/verdict.md."""

    alpha: OpenShare = setting(0.01, "q below which two stages count as different")
    margin: Share = setting(0.1, "stages closer than this count as equal", unit="accuracy")
    encoder: Text = setting(
        "vision.read",
        "the encoder's address; `vision.read`: the vision outputs that the connector takes",
    )
    blind: Literal["blank", "noise", "swapped", "no_image"] = setting(
        "blank", "the condition whose answers count as given without the image"
    )
    look: Literal["once", "sequential"] = setting(
        "once",
        "`once`: all items are answered; `sequential`: in steps, and further only in skills that "
        "are still undecided, by tests whose level is spent over the steps",
    )
    looks: Annotated[
        list[Annotated[int, Field(ge=2, le=1_000_000)]], Field(min_length=1), Rising
    ] = setting(
        [36, 72, 144, 216, 288, 400],
        "with `look: sequential`, how many items of a skill have been answered after each step; "
        "the last is the most, fewer where a dataset has fewer",
        unit="items",
    )
    patterns: dict[Name, str] | None = setting(
        None,
        "by dataset of a VLM's questions, the dataset of statements that its encoder matches; "
        "null: each of the layout `mmvp` with the first of `mmvp_vlm`",
    )
