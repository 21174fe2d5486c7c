"""Pair accuracy over the visual patterns as a polygon per model."""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from eyechart.report.chart_style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    Rows,
    Spec,
    base,
    finish,
    rounded,
    scale_of,
)
from eyechart.report.sections.patterns.load import Series

SERIES_COLORS = (BLUE, ORANGE, GREEN, PURPLE)
MOST = len(SERIES_COLORS)  # more polygons than this are not legible
RINGS = (0.25, 0.5, 0.75, 1.0)
STEPS = 72  # straight pieces of a ring
NAMES_AT = 1.09  # radius at which the patterns' names begin


def radar(series: Sequence[Series]) -> Spec:
    """Draw up to ``MOST`` series, a spoke per pattern of the first; the dashed ring is chance."""
    names = [r["pattern"] for r in series[0].rows]
    shown = series[:MOST]
    lines: Rows = []
    for one in shown:
        for i, pattern in enumerate([*names, names[0]]):
            row = one.at(pattern)
            if row:
                x, y = _position(i, len(names), row["accuracy"])
                point = {"series": one.name(), "pattern": pattern, "order": i, "x": x, "y": y}
                lines.append(point | {"accuracy": row["accuracy"], "pairs": row["pairs"]})
    scale = scale_of(dict(zip([s.name() for s in shown], SERIES_COLORS, strict=False)))
    legend = {"title": None, "orient": "bottom", "columns": 1, "symbolType": "stroke", "offset": 0}
    drawn = base("points").encode(
        **_plane("x", "y"), color=alt.Color("series:N", scale=scale, legend=legend)
    )
    chart = alt.layer(
        *_web(),
        drawn.mark_line(strokeWidth=2).encode(order="order:Q", detail="series:N"),
        drawn.mark_point(filled=True, size=34, opacity=1),
    ).properties(width=360, height=286)
    rows = {"points": rounded(lines), **_web_rows(names, series[0].rows[0]["chance"])}
    return finish(chart, rows, f"Pair accuracy by pattern: {', '.join(s.name() for s in shown)}")


def _position(i: float, n: int, radius: float) -> tuple[float, float]:
    angle = 2 * math.pi * i / n
    return radius * math.sin(angle), radius * math.cos(angle)


def _plane(x: str, y: str) -> dict[str, Any]:
    # width to height is as one domain to the other, so that rings are round
    return {
        "x": alt.X(x, type="quantitative", axis=None, scale={"domain": [-1.5, 1.5]}),
        "y": alt.Y(y, type="quantitative", axis=None, scale={"domain": [-1.15, 1.23]}),
    }


def _web_rows(names: Sequence[str], chance: float) -> dict[str, Rows]:
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
    return {"rings": rounded(rings), "spokes": rounded(spokes), "ticks": rounded(ticks)}


def _web() -> list[alt.Chart]:
    ring = _plane("x", "y") | {"order": "order:Q", "detail": "ring:N"}
    tick = base("ticks").mark_text(fontSize=9, color=GREY)
    named = [
        base("spokes", side=side)
        .mark_text(fontSize=12, color=INK, align=side)
        .encode(**_plane("at_x", "at_y"), text="name:N")
        for side in ("left", "right", "center")
    ]
    dashed = base("rings", kind="chance").mark_line(color=GREY, strokeDash=[4, 3], strokeWidth=1.3)
    return [
        base("rings", kind="ring").mark_line(color=PALE, strokeWidth=1).encode(**ring),
        base("spokes").mark_rule(color=PALE).encode(**_plane("zero", "zero"), x2="x", y2="y"),
        dashed.encode(**ring),
        tick.encode(**_plane("x", "y"), text="text:N"),
        *named,
    ]
