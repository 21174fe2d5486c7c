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
    """Image pairs that one encoder finds similar and another different (CLIP-blind pairs)."""

    pairs: list[Annotated[list[str], Field(min_length=2, max_length=2), Unique, UNIQUE]] = setting(
        [], "pairs of models, to find images that the first finds similar and the second different"
    )
    datasets: Names | None = setting(
        None, "datasets with images to compare; null: all with tasks, if there are pairs"
    )
    vectors: dict[Name, Annotated[str, Field(pattern=r"^[^/]+/(cls|image_mean)$")]] = setting(
        {}, "by model, the extracted address and span that represent an image, e.g. `connector/cls`"
    )
    similar: Cosine = setting(0.95, "cosine above which the first model finds images similar")
    different: Cosine = setting(0.6, "cosine below which the second model finds images different")
    centre: bool = setting(True, "subtract the mean over all images first; the paper does not")
    block: Annotated[int, Field(ge=16, le=65_536)] = setting(
        2048, "images compared at once; affects memory, not the result"
    )
    most: Count = setting(200, "maximum number of pairs kept, clearest first")
    parts: Annotated[int, Field(ge=1, le=100)] = setting(
        1,
        "parts of the images; every pair is compared in a separate job. The p (p + 1) / 2 "
        "jobs distribute the work over machines and find the same pairs",
    )
    engine: Literal["exact", "faiss"] = setting(
        "exact",
        "`exact`: compare all pairs of images; `faiss`: compare the pairs that faiss finds to be "
        "near each other in the first encoder, in one job ([docs/scale.md](../docs/scale.md))",
    )
    recall: Annotated[float, Field(ge=0.5, le=0.999), AsWritten] = setting(
        0.99,
        "for `faiss`: minimum share of planted pairs to find; the sheet states the share found",
    )

    @model_validator(mode="after")
    def _one_job(self) -> "Mining":
        if self.engine == "faiss" and self.parts > 1:
            rest = f" is {self.parts} with engine 'faiss', expected 1, as it searches in one job"
            raise mistake("parts", rest)
        return self
