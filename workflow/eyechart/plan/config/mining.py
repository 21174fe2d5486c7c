"""The section `mining`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from eyechart.plan.config.base import (
    UNIQUE,
    AsWritten,
    Cosine,
    Count,
    Name,
    Names,
    Section,
    Unique,
    mistake,
    setting,
)


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
    parts: Annotated[int, Field(ge=1, le=100)] = setting(
        1,
        "parts of the images; every two are compared in a job of their own: p (p + 1) / 2 jobs, "
        "which share the work among machines and find the same pairs",
    )
    engine: Literal["exact", "faiss"] = setting(
        "exact",
        "`exact`: all pairs of images are compared; `faiss`: those that faiss places near to one "
        "another for the first encoder, in one job ([docs/scale.md](../docs/scale.md))",
    )
    recall: Annotated[float, Field(ge=0.5, le=0.999), AsWritten] = setting(
        0.99, "of `faiss`: the share of planted pairs that it must find; the sheet says the share"
    )

    @model_validator(mode="after")
    def _one_job(self) -> "Mining":
        if self.engine == "faiss" and self.parts > 1:
            rest = f" is {self.parts} with engine 'faiss', expected 1: it searches in one job"
            raise mistake("parts", rest)
        return self
