"""From encoder to VLM: a line per pattern, so that what rises and what falls can be seen."""

from collections.abc import Sequence

from eyechart.report.chart_style import (
    BLUE,
    BORDER,
    GREY,
    INK,
    UNIT,
    VERMILION,
    Rows,
    Spec,
    label,
    layer,
    number,
    rounded,
    spec,
    view,
)
from eyechart.report.patterns import Comparison

GAP = 0.05  # of the axis, between two labels
CHANGES = {"the VLM does better": BLUE, "the VLM does worse": VERMILION, "both alike": GREY}
SMALL = {"type": "text", "fontSize": 11, "color": INK}


def slope(comparison: Comparison) -> Spec:
    """Draw pair accuracy of the encoder (left) and of the VLM (right), a line per pattern."""
    rows = slope_rows(comparison)
    ends = (comparison.encoder, comparison.vlm)
    heads = [
        {
            "side": side,
            "name": one.model,
            "where": f"{one.kind.replace('vlm', 'VLM')}, {one.dataset}",
        }
        for side, one in enumerate(ends)
    ]
    used = [w for w in CHANGES if any(r["change"] == w for r in rows)]
    chance = comparison.encoder.rows[0]["chance"]
    data = {"points": rows, "heads": heads, "chance": [{"chance": chance, "text": "chance"}]}
    title = {"text": " ", "fontSize": 34}  # room for the heads
    chart = {"title": title, "width": 350, "height": 380, "layer": _layers(used)}
    return spec(chart, data)


def slope_rows(comparison: Comparison) -> Rows:
    """Give two rows per pattern that both answered, with the height of their labels."""
    rows: Rows = []
    words = list(CHANGES)
    for first in comparison.encoder.rows:
        second = comparison.vlm.at(first["pattern"])
        if not second:
            continue
        gain = second["accuracy"] - first["accuracy"]
        change = words[2] if abs(gain) < 1e-9 else words[0] if gain > 0 else words[1]
        for side, one in enumerate((first, second)):
            row = {k: one[k] for k in ("model", "dataset", "pattern", "accuracy", "pairs")}
            row |= {"low": one["ci_low"], "high": one["ci_high"], "side": side}
            text = f"{one['pattern']} {one['accuracy']:.2f}"
            rows.append(row | {"change": change, "text": text})
    for side in (0, 1):
        here = [r for r in rows if r["side"] == side]
        for row, y in zip(here, spread([r["accuracy"] for r in here]), strict=True):
            row["label_y"] = y
    return rounded(rows)


def spread(values: Sequence[float]) -> list[float]:
    """Move labels apart by at least ``GAP``, within the axis, in the order of their values.

    >>> [round(y, 3) for y in spread([0.5, 0.5, 0.9])]
    [0.475, 0.525, 0.9]
    """
    found = [0.0] * len(values)
    clusters: list[tuple[float, list[int]]] = []  # the middle of some labels, and the labels
    for i in sorted(range(len(values)), key=lambda i: values[i]):
        clusters.append((values[i], [i]))
        while len(clusters) > 1 and _touch(*clusters[-2:]):
            members = clusters[-2][1] + clusters[-1][1]
            middle = sum(values[j] for j in members) / len(members)
            half = (len(members) - 1) * GAP / 2
            clusters[-2:] = [(min(max(middle, half), 1 - half), members)]
    for middle, members in clusters:
        for place, i in enumerate(members):
            found[i] = middle + (place - (len(members) - 1) / 2) * GAP
    return found


def _touch(below: tuple[float, list[int]], above: tuple[float, list[int]]) -> bool:
    return above[0] - below[0] < (len(below[1]) + len(above[1])) / 2 * GAP - 1e-9


def _layers(used: Sequence[str]) -> list[Spec]:
    x = number("side", axis=None, scale={"domain": [-1, 2]})
    y = number("accuracy", scale=UNIT, axis=None)
    legend = {"title": None, "orient": "bottom", "symbolType": "stroke"}
    scale = {"domain": list(used), "range": [CHANGES[w] for w in used]}
    drawn = {"x": x, "y": y, "color": label("change", scale=scale, legend=legend)}
    points, chance = view("points"), view("chance")
    dashed = {"type": "rule", "color": GREY, "strokeDash": [4, 3]}
    said = {**SMALL, "align": "center", "dy": -6, "color": GREY}
    level = {"y": {**y, "field": "chance"}}
    line = {"type": "line", "strokeWidth": 1.8}
    dot = {"type": "point", "filled": True, "size": 40, "opacity": 1}
    return [
        layer(chance, dashed, level),
        layer(chance, said, {**level, "x": {"value": 175}, "text": label("text")}),
        layer(points, line, {**drawn, "detail": {"field": "pattern"}}),
        layer(points, dot, drawn),
        *_labels(x, y, 0, "right", -1),
        *_labels(x, y, 1, "left", 1),
        _head(x, "name", -31, "bold"),
        _head(x, "where", -17, "normal"),
    ]


def _labels(x: Spec, y: Spec, side: int, align: str, out: int) -> list[Spec]:
    here = view("points", f"datum.side === {side}")
    places = {"near": 0.03, "stub": 0.11, "far": 0.14}
    moves = [{"calculate": f"datum.side + {out * d}", "as": name} for name, d in places.items()]
    link = {
        "x": {**x, "field": "near"},
        "x2": {"field": "stub"},
        "y": y,
        "y2": {"field": "label_y"},
    }
    text = {"x": {**x, "field": "far"}, "y": {**y, "field": "label_y"}, "text": label("text")}
    return [
        layer(here, {"type": "rule", "color": BORDER, "strokeWidth": 0.7}, link, *moves),
        layer(here, {**SMALL, "align": align}, text, *moves),
    ]


def _head(x: Spec, field: str, dy: int, weight: str) -> Spec:
    mark = {**SMALL, "dy": dy, "fontWeight": weight}
    return layer(view("heads"), mark, {"x": x, "y": {"value": 0}, "text": label(field)})
