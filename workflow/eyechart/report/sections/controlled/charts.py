"""Mixtures of two encoders as curves: image pairs against instruction following."""

import altair as alt

from eyechart.report import chart_style as style
from eyechart.report.sections.controlled.load import CIDER, SHARE, Row

NUMBERS = ("value", "low", "high", "n", "chance")
KEY = "by the share of the second encoder; squares: interleaved · lines: 95%"


def mixtures(points: list[Row]) -> dict[str, style.Spec]:
    """Return a chart for each scale that the points have."""
    by_scale = {scale: [p for p in points if p["scale"] == scale] for scale in (SHARE, CIDER)}
    return {scale: _mixture(own, scale) for scale, own in by_scale.items() if own}


def _mixture(points: list[Row], scale: str) -> style.Spec:
    """Draw every measure by share, with intervals; interleaved models are on the right."""
    rows = style.rounded(points)
    color = alt.Color(
        "measure:N",
        title=None,
        scale=alt.Scale(range=style.LINE_COLORS),
        legend={"orient": "bottom", "columns": 2, "labelLimit": 300},
    )
    ticks = {"values": [0, 0.25, 0.5, 0.75, 1], "format": "~g"}
    x = alt.X("place:Q", title="share of the second encoder", axis=ticks)
    y = alt.Y("value:Q", title=scale, scale=style.UNIT if scale == SHARE else alt.Undefined)
    place = "datum.interleaved ? 1.12 : datum.share"
    chart = style.base("points").transform_calculate(place=place)
    added = chart.transform_filter("!datum.interleaved")
    tips = style.decimals(NUMBERS, ".3g")
    square = alt.when("datum.interleaved === true").then(alt.value("square"))
    mixed = any(0 < p["share"] < 1 for p in points)  # otherwise only the ends are known
    layers = alt.layer(
        *([added.mark_line().encode(x=x, y=y, color=color)] if mixed else []),
        chart.mark_rule(strokeWidth=1.5).encode(x=x, y="low:Q", y2="high:Q", color=color),
        chart.mark_point(filled=True, size=60, opacity=1).encode(
            x=x, y=y, color=color, shape=square.otherwise(alt.value("circle")),
            tooltip=["model:N", "measure:N", *tips],
        ),
    )  # fmt: skip
    title = "Mixtures of two encoders" if scale == SHARE else "Captions by mixtures"
    named = layers.properties(
        title={"text": title, "subtitle": KEY, "offset": 14}, width=520, height=320
    )
    return style.finish(named, {"points": rows}, f"{title}; {KEY}")
