"""The section `speed`."""

from typing import Annotated, Literal

from pydantic import Field

from eyechart.plan.config.base import UNIQUE, Count, Section, Unique, setting

Precision = Literal["float32", "bfloat16", "8 bit", "4 bit"]


class SpeedSection(Section):
    """Cost of running a model, measured when `results/speed/<model>.parquet` is requested."""

    items: Count = setting(32, "seeded images of 640 x 480 pixels, each with a prompt")
    largest: Count = setting(16, "maximum batch size; 1, 2, 4, … up to it are timed")
    precisions: Annotated[list[Precision], Field(min_length=1), Unique, UNIQUE] = setting(
        ["float32", "bfloat16", "8 bit", "4 bit"],
        "precisions of weights and passes; 8 and 4 bit need a GPU and are reported as skipped "
        "without one",
    )
