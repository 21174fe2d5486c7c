"""The section `report`."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from eyechart.plan.config.base import (
    UNIQUE,
    AsWritten,
    Count,
    Few,
    Natural,
    OpenShare,
    Pixels,
    Rate,
    Section,
    Share,
    Text,
    Unique,
    setting,
)
from eyechart.report.registry import SECTIONS

DRAWN = [name for name, section in SECTIONS.items() if section.figures]
if TYPE_CHECKING:
    Drawn = str
else:
    Drawn = Literal[tuple(DRAWN)]


class Report(Section):
    """What the report shows."""

    title: Text = setting("Eye exam", "heading")
    gallery: Few = setting(6, "images with questions shown per dataset")
    gallery_px: Pixels = setting(240, "width of a shown image", unit="px")
    differing: Natural = setting(
        4, "items shown per model and dataset that are answered differently without the image"
    )
    worst_pairs: Count = setting(6, "pairs of images shown on a model's page about them")
    mined: Count = setting(100, "mined pairs shown on their sheet")
    maps: Natural = setting(2, "items per model and dataset whose attention is drawn")
    map_layers: Few = setting(3, "blocks whose attention is drawn, of each such item")
    alpha: OpenShare = setting(0.01, "q below which a finding counts as significant")
    selectivity: Share = setting(
        0.10, "selectivity above which an address counts as holding the information"
    )
    curve_points: Annotated[int, Field(ge=10, le=100_000)] = setting(
        400, "points of a training curve that are drawn at most"
    )
    figures: Annotated[list[Drawn], Unique, UNIQUE] = setting(
        DRAWN,
        "sections whose figures are drawn as files too: SVG, PNG and CSV; the page has all without "
        "them, and those of another section can be asked for by name",
    )
    png_scale: Rate = setting(2, "PNG pixels per SVG pixel")
    megabytes: Annotated[float, Field(gt=0, le=1000), AsWritten] = setting(
        10, "largest size of the page", unit="MB"
    )
