"""The section `speed`."""

from typing import Annotated, Literal

from pydantic import Field

from eyechart.plan.config.base import UNIQUE, Count, Section, Unique, setting

Precision = Literal["float32", "bfloat16", "8 bit", "4 bit"]


class SpeedSection(Section):
    """What running a model costs; measured where `results/speed/<model>.parquet` is asked for."""

    items: Count = setting(32, "seeded pictures of 640 x 480 pixels, each with a prompt")
    largest: Count = setting(16, "largest batch size; 1, 2, 4, … are timed up to it")
    precisions: Annotated[list[Precision], Field(min_length=1), Unique, UNIQUE] = setting(
        ["float32", "bfloat16", "8 bit", "4 bit"],
        "of weights and passes; 8 and 4 bit need a GPU, and say so without one",
    )
