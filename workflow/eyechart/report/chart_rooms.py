"""What is known in each room: the best point of vision encoder, connector and language model."""

from collections.abc import Sequence

from eyechart.report.chart_style import (
    INK,
    ROOM_COLORS,
    UNIT,
    Rows,
    Spec,
    label,
    layer,
    number,
    quoted,
    rounded,
    spec,
    tips,
    view,
)
from eyechart.report.places import ROOM_NAMES
from eyechart.report.results import TaskResult

SHOWN = (
    *("task", "scope", "room", "address", "span", "probe", "accuracy", "low", "high", "n_test"),
    *("control", "selectivity", "q", "majority", "chance"),
)
MARKS = ("circle", "square", "triangle-up", "triangle-down", "diamond")
SHAPES = dict(zip(ROOM_COLORS, MARKS, strict=True))


def room_rows(results: Sequence[TaskResult]) -> Rows:
    """Give a row per task and room: the room's best point, chosen by cross-validation."""
    return rounded(
        {name: point[name] for name in SHOWN} | {"column": f"{point['address']}/{point['span']}"}
        for r in sorted(results, key=lambda r: (r.scope != "image", r.task))
        for point in r.rooms.values()
    )


def rooms(results: Sequence[TaskResult]) -> Spec:
    """Draw accuracy with interval per task and room; a tick is the majority answer's accuracy."""
    rows = room_rows(results)
    scopes = sorted({r["scope"] for r in rows})  # image first: it alone has several rooms
    chart = {"vconcat": [_scope(rows, scope) for scope in scopes], "spacing": 22}
    return spec(chart, {"points": rows})


def _scope(rows: Rows, scope: str) -> Spec:
    names = [n for n in ROOM_COLORS if any(r["room"] == n for r in rows)]
    here = [n for n in names if any(r["room"] == n and r["scope"] == scope for r in rows)]
    base = view("points", f"datum.scope === {quoted(scope)}")
    spoken = "{" + ", ".join(f"{k}: {quoted(v)}" for k, v in ROOM_NAMES.items()) + "}"
    legend = {"title": None, "orient": "top", "labelExpr": f"{spoken}[datum.label] || datum.label"}
    color = {"domain": names, "range": [ROOM_COLORS[n] for n in names]}
    shape = {"domain": names, "range": [SHAPES[n] for n in names]}
    task = {"field": "task", "type": "ordinal", "title": None, "axis": {"minExtent": 90}}
    axis = {"format": ".1f", "tickCount": 10}
    title = "accuracy at the room's best address (95 % interval)"
    y = {"y": task, "color": label("room", scale=color, legend=legend)}
    if len(here) > 1:  # a lone room needs no offset; one shared with the panel above would shift it
        y["yOffset"] = label("room", sort=here)
    numbers = ("accuracy", "low", "high", "control", "majority", "chance", "selectivity")
    point = {
        **y,
        "x": number("accuracy", scale=UNIT, title=title, axis=axis),
        "shape": label("room", scale=shape, legend=legend),
        "tooltip": tips(("task", "room", "column", "probe"), numbers),
    }
    line = {**y, "x": number("low", scale=UNIT), "x2": {"field": "high"}}
    tick = {"y": task, "x": number("majority", scale=UNIT)}
    band = 14 * len(here) + 4
    return {
        "title": f"{scope} tasks (black tick: majority answer)",
        "width": 640,
        "height": len({r["task"] for r in rows if r["scope"] == scope}) * (band + 8),
        "layer": [
            layer(base, {"type": "tick", "color": INK, "thickness": 1.5, "size": band}, tick),
            layer(base, {"type": "rule", "strokeWidth": 1.6}, line),
            layer(base, {"type": "point", "filled": True, "size": 70, "opacity": 1}, point),
        ],
    }
