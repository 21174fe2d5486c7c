"""Pair accuracy over the visual patterns as a polygon per model."""

import math
from collections.abc import Sequence

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
    label,
    layer,
    number,
    rounded,
    spec,
    view,
)
from eyechart.report.patterns import Series

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
                x, y = _place(i, len(names), row["accuracy"])
                point = {"series": one.name(), "pattern": pattern, "order": i, "x": x, "y": y}
                lines.append(point | {"accuracy": row["accuracy"], "pairs": row["pairs"]})
    scale = {"domain": [s.name() for s in shown], "range": SERIES_COLORS[: len(shown)]}
    legend = {"title": None, "orient": "bottom", "columns": 1, "symbolType": "stroke", "offset": 0}
    drawn = {**_plane("x", "y"), "color": label("series", scale=scale, legend=legend)}
    detail = {"order": number("order"), "detail": {"field": "series"}}
    dot = {"type": "point", "filled": True, "size": 34, "opacity": 1}
    line = {"type": "line", "strokeWidth": 2}
    layers = [
        *_web(),
        layer(view("points"), line, {**drawn, **detail}),
        layer(view("points"), dot, drawn),
    ]
    rows = {"points": rounded(lines), **_web_rows(names, series[0].rows[0]["chance"])}
    return spec({"width": 360, "height": 286, "layer": layers}, rows)


def _place(i: float, n: int, radius: float) -> tuple[float, float]:
    angle = 2 * math.pi * i / n
    return radius * math.sin(angle), radius * math.cos(angle)


def _plane(x: str, y: str) -> Spec:
    # width to height is as one domain to the other, so that rings are round
    return {
        "x": number(x, axis=None, scale={"domain": [-1.5, 1.5]}),
        "y": number(y, axis=None, scale={"domain": [-1.15, 1.23]}),
    }


def _web_rows(names: Sequence[str], chance: float) -> dict[str, Rows]:
    rings = []
    for kind, radius in [*(("ring", r) for r in RINGS), ("chance", chance)]:
        for i in range(STEPS + 1):
            x, y = _place(i, STEPS, radius)
            rings.append({"ring": f"{kind} {radius}", "kind": kind, "order": i, "x": x, "y": y})
    spokes = []
    for i, name in enumerate(names):
        (x, y), (at_x, at_y) = _place(i, len(names), 1), _place(i, len(names), NAMES_AT)
        side = "center" if abs(x) < 0.1 else "left" if x > 0 else "right"
        row = {"name": name, "x": x, "y": y, "zero": 0}
        spokes.append(row | {"at_x": at_x, "at_y": at_y, "side": side})
    ticks = [
        dict(zip(("x", "y"), _place(0.5, len(names), r), strict=True), text=f"{r:g}")
        for r in RINGS[1:]
    ]
    return {"rings": rounded(rings), "spokes": rounded(spokes), "ticks": rounded(ticks)}


def _web() -> list[Spec]:
    plane = _plane("x", "y")
    ring = {**plane, "order": number("order"), "detail": {"field": "ring"}}
    dashed = {"type": "line", "color": GREY, "strokeDash": [4, 3], "strokeWidth": 1.3}
    spoke = {**_plane("zero", "zero"), "x2": {"field": "x"}, "y2": {"field": "y"}}
    named = {**_plane("at_x", "at_y"), "text": label("name")}
    text = {"type": "text", "fontSize": 12, "color": INK}
    tick = {"type": "text", "fontSize": 9, "color": GREY}
    return [
        layer(
            view("rings", "datum.kind === 'ring'"),
            {"type": "line", "color": PALE, "strokeWidth": 1},
            ring,
        ),
        layer(view("spokes"), {"type": "rule", "color": PALE}, spoke),
        layer(view("rings", "datum.kind === 'chance'"), dashed, ring),
        layer(view("ticks"), tick, {**plane, "text": label("text")}),
        *(
            layer(view("spokes", f"datum.side === '{side}'"), {**text, "align": side}, named)
            for side in ("left", "right", "center")
        ),
    ]
