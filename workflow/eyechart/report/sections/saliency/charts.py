"""Deletion curves, and sample images with their maps."""

from typing import Any

import altair as alt
from PIL import Image

from eyechart.report import chart_style as style
from eyechart.report.files import Inputs
from eyechart.report.labels import task_name
from eyechart.report.mapped_images import MappedImage
from eyechart.report.overlays import SMALLEST, in_turn, over_image
from eyechart.report.sections.saliency.load import (
    RANDOM,
    Attributed,
    falls,
    read_attributed,
    read_pictures,
)

KEY = (
    "decrease of the score (nats) as image tokens are replaced by the mean token · band: 95% "
    "interval · grey: random orders at the same address"
)


def figures(inputs: Inputs, settings: dict[str, Any]) -> dict[str, style.Spec | Image.Image]:
    """Return the deletion curves of one model on one dataset, and sample items with their maps."""
    (one,) = read_attributed(inputs.paths("saliency"))
    (curves,) = inputs.paths("deletions")
    pictures = in_turn(read_pictures(inputs, one), settings["maps"])
    sheets = [sheet(picture, settings["gallery_px"]) for picture in pictures]
    drawn = {f"item-{n}": image for n, image in enumerate(sheets, start=1)}
    return {"deletion": deletion(one, falls(curves)), **drawn}


def sheet(picture: MappedImage, width: int = SMALLEST) -> Image.Image:
    """Draw the image, the same image under each map's positive part, and the colour bar."""
    return over_image(picture, picture.panels, width)


def deletion(one: Attributed, rows: style.Rows) -> style.Spec:
    """Draw the decrease of the score by the share of tokens for each task, one line per map."""
    name, points = f"{one.model} on {one.dataset}", style.rounded(rows)
    tasks = list(dict.fromkeys(row["task"] for row in points))
    if not tasks:
        return style.empty(name, "no data for this figure")
    series = [s for s in dict.fromkeys(row["series"] for row in points) if s != RANDOM]
    chart = alt.concat(*(_panel(points, task, series) for task in tasks), columns=2, spacing=26)
    chart = chart.properties(title={"text": name, "subtitle": KEY, "offset": 12})
    return style.finish(chart, {"points": points}, f"{name}: {KEY}")


def _panel(rows: style.Rows, task: str, series: list[str]) -> alt.LayerChart:
    every = style.base("points", task=task)
    lines = every.transform_filter(f"datum.series !== '{RANDOM}'")
    colors = alt.Scale(domain=series, range=style.LINE_COLORS[: len(series)])
    legend = {"title": None, "orient": "top", "columns": 2, "symbolOpacity": 1}
    color = alt.Color("series:N", scale=colors, legend=legend)
    x = alt.X("share:Q", title="share of image tokens replaced", axis={"format": "%"})
    y = {"title": "decrease of the score (nats)"}
    tips = ["series:N", "task:N", alt.Tooltip("share:Q", format=".0%")]
    tips += style.decimals(("value", "low", "high"), ".2f")
    dashes = alt.StrokeDash(
        "address:N",
        scale=alt.Scale(range=[[4, 3], [1, 3]]),
        legend={"title": "random orders", "orient": "top", "symbolStrokeColor": style.GREY},
    )
    beside = every.transform_filter(f"datum.series === '{RANDOM}'").mark_line(
        color=style.GREY, strokeWidth=1.8
    )
    own = lines.encode(x=x, color=color)
    n = max(row["n"] for row in rows if row["task"] == task)
    return alt.layer(
        own.mark_area(opacity=0.12).encode(y=alt.Y("low:Q", **y), y2="high"),
        beside.encode(x=x, y=alt.Y("value:Q", **y), strokeDash=dashes),
        own.mark_line(strokeWidth=2).encode(y=alt.Y("value:Q", **y)),
        own.mark_point(filled=True, size=26, opacity=1).encode(
            y=alt.Y("value:Q", **y), tooltip=[*tips, "n:Q"]
        ),
    ).properties(title=f"{task_name(task)} (n {n:,})", width=300, height=190)
