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
    """Contents of the report."""

    title: Text = setting("Eye exam", "heading")
    gallery: Few = setting(6, "images with questions shown per dataset")
    gallery_px: Pixels = setting(240, "width of displayed images", unit="px")
    differing: Natural = setting(
        4, "items shown per model and dataset whose answer changes without the image"
    )
    worst_pairs: Count = setting(6, "image pairs shown on a model's pattern page")
    mined: Count = setting(100, "mined pairs shown on their sheet")
    maps: Natural = setting(2, "items per model and dataset with attention maps")
    map_layers: Few = setting(3, "blocks with attention maps for each of these items")
    alpha: OpenShare = setting(0.01, "q below which a finding counts as significant")
    selectivity: Share = setting(
        0.10, "selectivity above which an address counts as holding the information"
    )
    curve_points: Annotated[int, Field(ge=10, le=100_000)] = setting(
        400, "maximum number of points drawn per training curve"
    )
    figures: Annotated[list[Drawn], Unique, UNIQUE] = setting(
        DRAWN,
        "sections with figures also drawn as SVG, PNG and CSV files; the page has all figures "
        "without them, and the figure files of other sections can be requested by name",
    )
    png_scale: Rate = setting(2, "PNG pixels per SVG pixel")
    megabytes: Annotated[float, Field(gt=0, le=1000), AsWritten] = setting(
        10, "maximum size of the page", unit="MB"
    )
