"""Pair accuracy over the visual patterns, as one polygon per model."""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from eyechart.report import chart_style as style
from eyechart.report.sections.patterns.load import Series

SERIES_COLORS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE)
MOST = len(SERIES_COLORS)  # more polygons than this are not legible
RINGS = (0.25, 0.5, 0.75, 1.0)
STEPS = 72  # straight segments of a ring
NAMES_AT = 1.09  # radius at which the patterns' names start


def radar(series: Sequence[Series]) -> style.Spec:
    """Draw up to ``MOST`` series, one spoke per pattern of the first; the dashed ring is chance."""
    names = [r["pattern"] for r in series[0].rows]
    shown = series[:MOST]
    lines: style.Rows = []
    for one in shown:
        for i, pattern in enumerate([*names, names[0]]):
            row = one.at(pattern)
            if row:
                x, y = _position(i, len(names), row["accuracy"])
                point = {"series": one.name(), "pattern": pattern, "order": i, "x": x, "y": y}
                lines.append(point | {"accuracy": row["accuracy"], "pairs": row["pairs"]})
    scale = style.scale_of(dict(zip([s.name() for s in shown], SERIES_COLORS, strict=False)))
    legend = {"title": None, "orient": "bottom", "columns": 1, "symbolType": "stroke", "offset": 0}
    drawn = style.base("points").encode(
        **_plane("x", "y"), color=alt.Color("series:N", scale=scale, legend=legend)
    )
    chart = alt.layer(
        *_web(),
        drawn.mark_line(strokeWidth=2).encode(order="order:Q", detail="series:N"),
        drawn.mark_point(filled=True, size=34, opacity=1),
    ).properties(width=360, height=286)
    rows = {"points": style.rounded(lines), **_web_rows(names, series[0].rows[0]["chance"])}
    return style.finish(
        chart, rows, f"Pair accuracy by pattern: {', '.join(s.name() for s in shown)}"
    )


def _position(i: float, n: int, radius: float) -> tuple[float, float]:
    angle = 2 * math.pi * i / n
    return radius * math.sin(angle), radius * math.cos(angle)


def _plane(x: str, y: str) -> dict[str, Any]:
    # the aspect ratio matches the domains, so that rings are round
    return {
        "x": alt.X(x, type="quantitative", axis=None, scale={"domain": [-1.5, 1.5]}),
        "y": alt.Y(y, type="quantitative", axis=None, scale={"domain": [-1.15, 1.23]}),
    }


def _web_rows(names: Sequence[str], chance: float) -> dict[str, style.Rows]:
    rings = []
    for kind, radius in [*(("ring", r) for r in RINGS), ("chance", chance)]:
        for i in range(STEPS + 1):
            x, y = _position(i, STEPS, radius)
            rings.append({"ring": f"{kind} {radius}", "kind": kind, "order": i, "x": x, "y": y})
    spokes = []
    for i, name in enumerate(names):
        (x, y), (at_x, at_y) = (_position(i, len(names), radius) for radius in (1, NAMES_AT))
        side = "center" if abs(x) < 0.1 else "left" if x > 0 else "right"
        row = {"name": name, "x": x, "y": y, "zero": 0}
        spokes.append(row | {"at_x": at_x, "at_y": at_y, "side": side})
    ticks = [
        dict(zip(("x", "y"), _position(0.5, len(names), r), strict=True), text=f"{r:g}")
        for r in RINGS[1:]
    ]
    return {
        "rings": style.rounded(rings),
        "spokes": style.rounded(spokes),
        "ticks": style.rounded(ticks),
    }


def _web() -> list[alt.Chart]:
    ring = _plane("x", "y") | {"order": "order:Q", "detail": "ring:N"}
    tick = style.base("ticks").mark_text(fontSize=9, color=style.GREY)
    named = [
        style.base("spokes", side=side)
        .mark_text(fontSize=12, color=style.INK, align=side)
        .encode(**_plane("at_x", "at_y"), text="name:N")
        for side in ("left", "right", "center")
    ]
    dashed = style.base("rings", kind="chance").mark_line(
        color=style.GREY, strokeDash=[4, 3], strokeWidth=1.3
    )
    return [
        style.base("rings", kind="ring").mark_line(color=style.PALE, strokeWidth=1).encode(**ring),
        style.base("spokes")
        .mark_rule(color=style.PALE)
        .encode(**_plane("zero", "zero"), x2="x", y2="y"),
        dashed.encode(**ring),
        tick.encode(**_plane("x", "y"), text="text:N"),
        *named,
    ]
