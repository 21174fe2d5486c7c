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

BOOTSTRAP = "draws of the bootstrap by group behind the intervals"
WHERE = ["vision.*", "connector", "lm.*"]


class ConceptsSettings(Section):
    """Coloured words compared with images of colours: docs/stroop.md."""

    datasets: Names | None = setting(
        None, "datasets in the layout `stroop` that are compared; null: all"
    )
    addresses: Texts = setting(WHERE, "where")
    spans: Annotated[list[Span], Field(min_length=1), Unique, UNIQUE] = setting(
        ["cls", "image_mean", "last"], "which tokens are pooled there"
    )
    columns: Annotated[list[str], Field(min_length=1)] = setting(
        ["*"], "of those, globs over `<address>/<span>` that are compared"
    )
    components: Count = setting(50, "principal components at most; every number up to it is tried")
    neighbours: Count = setting(5, "images that vote")
    power: NonNegative = setting(1, "a vote counts its cosine to this power")
    shown: Natural = setting(5, "components in the charts by address")
    threshold: Share = setting(0.8, "accuracy from which on concepts count as separate")
    permutations: Count = setting(100, "draws of the control")
    bootstrap: Draws = setting(1000, BOOTSTRAP)
