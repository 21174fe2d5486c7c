"""Charts of where a model looks and from which block on it knows its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eyechart.report.attention import ROLE_NAMES, Looking
from eyechart.report.chart_behaviour import task_name
from eyechart.report.chart_style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    UNIT,
    Rows,
    Spec,
    label,
    layer,
    number,
    quoted,
    rounded,
    spec,
    view,
)
from eyechart.report.places import order

SERIES = {  # name, colour, dashes, shape
    "reference": (ROLE_NAMES["reference"], PURPLE, [2, 2], "diamond"),
    "right": (ROLE_NAMES["right"], BLUE, [1, 0], "circle"),
    "wrong": (ROLE_NAMES["wrong"], ORANGE, [6, 3], "square"),
    "picture": ("whole picture", GREEN, [1, 0], "circle"),
    "answer": ("right choice, at the answer", BLUE, [1, 0], "circle"),
    "inside": ("right choice, at tokens of its region", GREEN, [6, 3], "triangle-up"),
    "settled": ("items settled on their answer", ORANGE, [2, 2], "square"),
}
LEAST, MOST = 1 / 16, 16  # of ratios on a log scale
# orange below 1, white at 1, blue above: told apart with any common colour blindness
BOTH_WAYS = ["#7f3b08", "#d98a2b", "#fbe0b5", "#ffffff", "#c9dff0", "#5b9fd0", "#0b4a8a"]
LOOKS = (
    "1 is what attention to all image tokens alike would give · band: 95 % interval · "
    "hollow: the same regions on another item's picture"
)
MANY_LAYERS = 12  # more than this: not every block is labelled


def looks(looking: Looking, width: int = 230) -> Spec:
    """Draw, per task, the ratio in regions by block: a line per role, and its control hollow."""
    rows = look_rows(looking)
    return _panels(looking, rows, LOOKS, width, _ratio)


def masses(looking: Looking, width: int = 230) -> Spec:
    """Draw, per task, the attention on image tokens by block, and the share that they are."""
    rows = [_plain(r) | {"series": "picture"} for r in looking.of("image_mass")]
    said = "share of attention that falls on image tokens · dashed grey: their share of the prompt"
    return _panels(looking, rows, said, width, _share)


def settling(looking: Looking, width: int = 230) -> Spec:
    """Draw, per task, the right choice's probability by block, and the share of settled items."""
    said = "logit lens by block · band: 95 % interval · dashed grey: chance"
    return _panels(looking, lens_rows(looking), said, width, _share)


def heads(looking: Looking, alpha: float, task: str | None = None) -> Spec:
    """Draw the ratio in the right region, by block and head; a dot where q against control is low.

    Parameters
    ----------
    task : str or None
        One task alone; None for a panel per task.
    """
    rows = head_rows(looking, alpha)
    tasks = [t for t in looking.tasks() if task in (None, t) and any(r["task"] == t for r in rows)]
    panels = [_heads(rows, one) for one in tasks]
    said = f"ratio in the right choice's region, by head · dot: q < {alpha:g} against the control"
    return _figure(looking, said, panels, [r for r in rows if task in (None, r["task"])])


def look_rows(looking: Looking) -> Rows:
    """Give a row per task, role, block: the ratio, and that of the control."""
    return [_plain(r) | {"series": r["role"]} for r in looking.of("ratio", *ROLE_NAMES)]


def lens_rows(looking: Looking) -> Rows:
    """Give a row per task, series and block."""
    found = [_plain(r) | {"series": "answer"} for r in looking.of("lens_p_right", "answer")]
    found += [_plain(r) | {"series": "inside"} for r in looking.of("lens_p_right", "right")]
    return found + [_plain(r) | {"series": "settled"} for r in looking.of("lens_settled")]


def head_rows(looking: Looking, alpha: float) -> Rows:
    """Give a row per task, block and head of the ratio in the right region."""
    found = looking.of("ratio", "right", heads=True)
    return [
        _plain(r) | {"head": r["head"], "sure": r["q"] is not None and r["q"] < alpha}
        for r in found
    ]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    names = ("task", "address", "value", "chance", "control", "difference", "p", "q", "n", "groups")
    block = int(row["address"].rsplit(".", maxsplit=1)[-1])
    kept = {"block": block, **{k: row[k] for k in names}}
    return rounded([kept | {"low": row["ci_low"], "high": row["ci_high"]}])[0]


def _panels(looking: Looking, rows: Rows, said: str, width: int, panel: Any) -> Spec:
    tasks = [t for t in looking.tasks() if any(r["task"] == t for r in rows)]
    return _figure(looking, said, [panel(rows, task, width) for task in tasks], rows)


def _figure(looking: Looking, said: str, panels: Sequence[Spec], rows: Rows) -> Spec:
    title = {"text": f"{looking.model} on {looking.dataset}", "subtitle": said, "offset": 12}
    if not panels:
        empty = {"text": title["text"], "subtitle": "nothing is known here"}
        mark = layer(view("points"), {"type": "point"}, {})
        return spec({"title": empty, "width": 320, "height": 10, **mark}, {"points": []})
    chart = {"title": title, "columns": 3, "spacing": 26, "concat": list(panels)}
    return spec(chart, {"points": rows})


def _ratio(rows: Rows, task: str, width: int) -> Spec:
    low, high = _around(rows)
    scale = {"type": "log", "base": 2, "domain": [low, high], "clamp": True, "nice": False}
    axis = {"values": [2.0**n for n in range(-4, 5) if low <= 2.0**n <= high], "format": ".3~g"}
    y = {"scale": scale, "axis": axis, "title": "times uniform (log scale)"}
    base = view("points", f"datum.task === {quoted(task)}")
    lines = _lines(rows, base, y)
    hollow = {"type": "point", "filled": False, "size": 34, "strokeWidth": 1.2, "opacity": 0.8}
    place = {"x": _block(rows), "y": number("control", **y), "color": _color(rows, 1)}
    one = {"type": "rule", "color": INK, "strokeWidth": 1}
    level = layer(base, one, {"y": {"datum": 1, "type": "quantitative", **y}})
    control = layer(base, hollow, place | {"shape": _color(rows, 3)})
    return {
        "title": _title(rows, task),
        "width": width,
        "height": 190,
        "layer": [level, *lines, control],
    }


def _share(rows: Rows, task: str, width: int) -> Spec:
    y = {"scale": UNIT, "axis": {"tickCount": 5, "format": ".1f"}, "title": None}
    base = view("points", f"datum.task === {quoted(task)}")
    dashed = {"type": "line", "color": GREY, "strokeDash": [3, 3], "strokeWidth": 1.6}
    some = {"filter": "isValid(datum.chance)"}
    mean = {"op": "mean", "field": "chance", "as": "chance"}
    one = {"aggregate": [mean], "groupby": ["block"]}
    chance = layer(base, dashed, {"x": _block(rows), "y": number("chance", **y)}, some, one)
    lines = _lines(rows, base, y)
    return {"title": _title(rows, task), "width": width, "height": 190, "layer": [chance, *lines]}


def _lines(rows: Rows, base: Spec, y: Spec) -> list[Spec]:
    x, color = _block(rows), _color(rows, 1)
    band = {"x": x, "y": number("low", **y), "y2": {"field": "high"}, "color": color}
    names = [label("series"), label("address"), label("task")]
    shown = [number(k, format=".3f") for k in ("value", "low", "high", "chance", "control")]
    tips = [*names, *shown, number("q", format=".2g"), number("n")]
    place = {"x": x, "y": number("value", **y), "color": color}
    return [
        layer(base, {"type": "area", "opacity": 0.16}, band),
        layer(base, {"type": "line", "strokeWidth": 2}, place | {"strokeDash": _color(rows, 2)}),
        layer(
            base,
            {"type": "point", "filled": True, "size": 34, "opacity": 1},
            place | {"shape": _color(rows, 3), "tooltip": tips},
        ),
    ]


def _around(rows: Rows) -> list[float]:
    """Give the powers of two that hold all ratios, within the most that is shown."""
    values = [r[k] for r in rows for k in ("value", "control", "low", "high") if r.get(k)]
    low, high = min([*values, 0.5]), max([*values, 2.0])
    ends = [LEAST, 1 / 8, 1 / 4, 1 / 2, 2, 4, 8, MOST]
    below = [e for e in ends if e <= low] or [LEAST]
    return [max(e for e in below if e < 1), min([e for e in ends if e >= high] or [MOST])]


def _heads(rows: Rows, task: str) -> Spec:
    here = [r for r in rows if r["task"] == task]
    blocks = sorted({r["address"] for r in here}, key=order)
    count = max(r["head"] for r in here) + 1
    small = max(len(blocks), count) > MANY_LAYERS
    base = view("points", f"datum.task === {quoted(task)}")
    axis = {"labelAngle": 0, "labelOverlap": True, "title": "head"}
    y = {"field": "address", "type": "ordinal", "sort": blocks, "title": None}
    place = {
        "x": {"field": "head", "type": "ordinal", "axis": axis},
        "y": {**y, "axis": {"labelOverlap": small}},
    }
    legend: Spec = {
        "title": "times uniform",
        "orient": "bottom",
        "gradientLength": 180,
        "values": [0.25, 1, 4],
    }
    # ratios are shown by their logarithm: 1/2 is as far from 1 as 2 is
    scale = {
        "type": "log",
        "base": 2,
        "domain": [1 / 8, 8],
        "range": BOTH_WAYS,
        "clamp": True,
        "interpolate": "lab",
    }
    tips = [
        label("address"),
        number("head"),
        *(number(k, format=".2f") for k in ("value", "control")),
    ]
    cells = {
        **place,
        "color": number("shown", scale=scale, legend=legend),
        "tooltip": [*tips, number("q", format=".2g"), number("n")],
    }
    kept = {"calculate": "max(datum.value, 0.125)", "as": "shown"}
    step = 11 if small else 24
    mark = {"type": "point", "filled": True, "color": INK, "opacity": 1}
    mark |= {"size": 9 if small else 22}
    dots = layer(base, mark, place, {"filter": "datum.sure"})
    return {
        "title": _title(rows, task),
        "width": {"step": step},
        "height": {"step": step},
        "layer": [layer(base, {"type": "rect", "stroke": PALE}, cells, kept), dots],
    }


def _title(rows: Rows, task: str) -> str:
    n = max(r["n"] for r in rows if r["task"] == task)
    return f"{task_name(task)} (n {n:,})"


def _block(rows: Rows) -> Spec:
    blocks = sorted({r["block"] for r in rows})
    every = 1 + len(blocks) // MANY_LAYERS
    axis = {"values": blocks[::every], "format": "d", "grid": False}
    domain = [blocks[0], max(blocks[-1], blocks[0] + 1)]
    return number("block", axis=axis, title="block", scale={"domain": domain, "nice": False})


def _color(rows: Rows, which: int) -> Spec:
    used = [s for s in SERIES if any(r["series"] == s for r in rows)]
    names = "{" + ", ".join(f"{s}: {quoted(SERIES[s][0])}" for s in used) + "}"
    legend: Spec = {"title": None, "orient": "top", "labelExpr": f"{names}[datum.label]"}
    legend |= {"symbolOpacity": 1, "columnPadding": 24, "symbolDash": [1, 0]}
    scale = {"domain": used, "range": [SERIES[s][which] for s in used]}
    return label("series", scale=scale, legend=legend)
