"""The section `mining`."""

from typing import Annotated

from pydantic import Field

from eyechart.plan.config.base import UNIQUE, Cosine, Count, Name, Names, Section, Unique, setting


class Mining(Section):
    """Pairs of images, alike to one encoder and different to another (CLIP-blind pairs)."""

    pairs: list[Annotated[list[str], Field(min_length=2, max_length=2), Unique, UNIQUE]] = setting(
        [], "pairs of models: images alike to the first and different to the second are found"
    )
    datasets: Names | None = setting(
        None, "datasets whose images are compared; null: those with tasks, if there are pairs"
    )
    vectors: dict[Name, Annotated[str, Field(pattern=r"^[^/]+/(cls|image_mean)$")]] = setting(
        {},
        "by model, the extracted address and span that represents an image, e.g. `connector/cls`",
    )
    similar: Cosine = setting(0.95, "images are alike to the first above this cosine")
    different: Cosine = setting(0.6, "and different to the second below this cosine")
    centre: bool = setting(True, "subtract the mean over all images first; the paper does not")
    block: Annotated[int, Field(ge=16, le=65_536)] = setting(
        2048, "images compared at once; decides the memory, not the result"
    )
    most: Count = setting(200, "pairs kept at most, the clearest first")
