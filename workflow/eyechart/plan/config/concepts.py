"""The section `concepts`."""

from typing import Annotated

from pydantic import Field

from eyechart.plan.config.base import (
    UNIQUE,
    Count,
    Draws,
    Names,
    Natural,
    NonNegative,
    Section,
    Share,
    Span,
    Texts,
    Unique,
    setting,
)

BOOTSTRAP = "draws of the bootstrap by group, for intervals"
WHERE = ["vision.*", "connector", "lm.*"]


class ConceptsSettings(Section):
    """Comparison of coloured words with images of colours: docs/stroop.md."""

    datasets: Names | None = setting(None, "datasets in the layout `stroop` to compare; null: all")
    addresses: Texts = setting(WHERE, "addresses to compare")
    spans: Annotated[list[Span], Field(min_length=1), Unique, UNIQUE] = setting(
        ["cls", "image_mean", "last"], "spans to extract"
    )
    columns: Annotated[list[str], Field(min_length=1)] = setting(
        ["*"], "globs over `<address>/<span>` that select which of these are compared"
    )
    components: Count = setting(
        50, "maximum number of principal components; every number up to it is tried"
    )
    neighbours: Count = setting(5, "images that vote")
    power: NonNegative = setting(1, "votes are weighted by the cosine to this power")
    shown: Natural = setting(5, "number of components in the charts by address")
    threshold: Share = setting(0.8, "accuracy from which concepts count as separate")
    permutations: Count = setting(100, "draws of the control")
    bootstrap: Draws = setting(1000, BOOTSTRAP)
