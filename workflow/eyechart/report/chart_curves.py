"""Layer curves: accuracy along the model, next to its controls, the majority answer and chance."""

from collections.abc import Sequence

from eyechart.report.chart_style import (
    BLUE,
    BORDER,
    GREY,
    INK,
    LINE_COLORS,
    PURPLE,
    UNIT,
    VERMILION,
    Rows,
    Spec,
    label,
    layer,
    number,
    place_axis,
    quoted,
    rooms_of,
    rounded,
    spec,
    tips,
    view,
)
from eyechart.report.places import order
from eyechart.report.results import TaskResult

SERIES = {
    "accuracy": ("task", BLUE, [1, 0]),
    "control": ("control by type", VERMILION, [6, 3]),
    "permutation": ("control permuted", PURPLE, [2, 2]),
    "majority": ("majority answer", INK, [9, 3, 2, 3]),
    "chance": ("chance", GREY, [1, 3]),
}
KEY = (
    "solid: task, with its 95 % interval · dashed: control task by type · "
    "dotted: majority answer · grey lines: borders of vision encoder, connector, language model"
)
SHOWN = (
    *("task", "scope", "address", "span", "probe", "room", "accuracy", "low", "high"),
    *("control", "control_low", "control_high", "permutation", "majority", "chance"),
    *("selectivity", "p", "q", "n_train", "n_test", "n_classes", "seeds", "cv_accuracy"),
)
SIGNALS = ("task", "span", "probe", "scope")


def in_order(results: Sequence[TaskResult]) -> list[TaskResult]:
    """Give the results as figures list them: item tasks first, then by name."""
    return sorted(results, key=lambda r: (r.scope != "item", r.task))


def curve_rows(results: Sequence[TaskResult]) -> Rows:
    """Give what layer curves and selectivity maps show: a row per task, address, span, probe."""
    return rounded(
        {name: row[name] for name in SHOWN} for r in results for row in r.points.to_dicts()
    )


def all_curves(results: Sequence[TaskResult]) -> Spec:
    """Draw one small panel per task and probe, the spans in colours, controls dashed."""
    rows = curve_rows(results)
    spans = sorted({r["span"] for r in rows})
    probes = sorted({r["probe"] for r in rows})
    borders = [
        {**place, "scope": scope}
        for scope in sorted({r["scope"] for r in rows})
        for place in rooms_of({r["address"] for r in rows if r["scope"] == scope})
    ]
    chart = {
        "title": {"text": "Accuracy along the model", "subtitle": KEY, "offset": 14},
        "columns": 2 * len(probes),
        "spacing": 18,
        "concat": [_panel(r, probe, spans) for r in in_order(results) for probe in probes],
    }
    return spec(chart, {"points": rows, "rooms": borders})


def one_curve(results: Sequence[TaskResult], height: int) -> Spec:
    """Draw the page's large curve: the signals ``task, span, probe, scope`` say what it shows."""
    addresses = sorted({a for r in results for a in r.points["address"]}, key=order)
    x = place_axis(addresses, -40 if len(addresses) > 8 else 0)
    chosen = view("points", "datum.task === task && datum.span === span && datum.probe === probe")
    shown = {"x": x, "y": number("accuracy"), "tooltip": _tooltip()}
    start = curve_start(results)
    chart = {
        "width": "container",
        "height": height,
        "params": [{"name": name, "value": start[name]} for name in SIGNALS],
        "layer": [
            *_rooms(height, x),
            layer(chosen, {"type": "area", "opacity": 0.16, "color": BLUE}, _band(x, "")),
            layer(
                chosen, {"type": "area", "opacity": 0.12, "color": VERMILION}, _band(x, "control_")
            ),
            _lines(chosen, x),
            layer(
                chosen,
                {"type": "point", "filled": True, "size": 64, "opacity": 1, "color": BLUE},
                shown,
            ),
        ],
    }
    return spec(chart, {"points": [], "rooms": rooms_of(addresses)})


def curve_start(results: Sequence[TaskResult]) -> dict[str, str]:
    """Give the selection that the page opens with: the best point of the most selective task."""
    best = max(results, key=lambda r: float(r.best["selectivity"])).best
    return {name: best[name] for name in SIGNALS}


def _band(x: Spec, prefix: str) -> Spec:
    y = number(f"{prefix}low", scale=UNIT, title="accuracy on held-out test items")
    return {"x": x, "y": y, "y2": {"field": f"{prefix}high"}}


def _tooltip() -> list[Spec]:
    numbers = ("accuracy", "low", "high", "control", "permutation", "selectivity")
    return tips(("address", "span", "probe"), (*numbers, "majority", "chance"))


def _lines(base: Spec, x: Spec) -> Spec:
    fields = list(SERIES)
    names = "{" + ", ".join(f"{f}: {quoted(name)}" for f, (name, _, _) in SERIES.items()) + "}"
    legend = {
        "title": None,
        "orient": "top",
        "symbolType": "stroke",
        "symbolSize": 500,
        "labelExpr": f"{names}[datum.label]",
    }
    color = {"domain": fields, "range": [SERIES[f][1] for f in fields]}
    dash = {"domain": fields, "range": [SERIES[f][2] for f in fields]}
    encoding = {
        "x": x,
        "y": number("value", scale=UNIT),
        "color": label("series", scale=color, legend=legend),
        "strokeDash": label("series", scale=dash, legend=legend),
    }
    fold = {"fold": fields, "as": ["series", "value"]}
    return layer(base, {"type": "line", "strokeWidth": 2}, encoding, fold)


def _rooms(height: int, x: Spec) -> list[Spec]:
    places = view("rooms")
    start = {**x, "field": "first", "bandPosition": 0}
    end = {"field": "last", "bandPosition": 1}
    top, bottom, middle = ({"value": v} for v in (0, height, height / 2))
    names = (
        "{vision: 'vision encoder', connector: '', lm: 'language model', decoder: 'decoder', "
        "other: 'other'}"
    )
    blind = "scope === 'item' && indexof(['vision', 'connector'], datum.room) >= 0"
    small = {"type": "text", "align": "left", "color": GREY, "fontSize": 11}
    why = ["never sees the question,", "so it is not asked"]
    return [
        layer(
            places,
            {"type": "rect", "color": "#f3f4f6"},
            {"x": start, "x2": end, "y": top, "y2": bottom},
            {"filter": blind},
        ),
        layer(places, {"type": "rule", "color": BORDER}, {"x": start}, {"filter": "datum.inner"}),
        layer(
            places,
            {**small, "dx": 6, "dy": -7, "fontStyle": "italic"},
            {"x": start, "y": top, "text": label("name")},
            {"calculate": f"{names}[datum.room]", "as": "name"},
        ),
        layer(
            places,
            {**small, "dx": 8, "text": why},
            {"x": start, "y": middle},
            {"filter": f"{blind} && datum.room === 'vision'"},
        ),
    ]


def _panel(result: TaskResult, probe: str, spans: Sequence[str]) -> Spec:
    addresses = sorted(set(result.points["address"]), key=order)
    x = place_axis(addresses, -45)
    base = view(
        "points", f"datum.task === {quoted(result.task)} && datum.probe === {quoted(probe)}"
    )
    borders = view("rooms", f"datum.scope === {quoted(result.scope)} && datum.inner")
    legend = {"title": "span", "orient": "top", "symbolType": "stroke", "symbolSize": 300}
    scale = {"domain": list(spans), "range": LINE_COLORS[: len(spans)]}
    color = label("span", scale=scale, legend={**legend, "symbolOpacity": 1})

    def lines(mark: Spec, field: str) -> Spec:
        y = number(field, scale=UNIT, title="accuracy")
        return layer(base, mark, {"x": x, "y": y, "color": color})

    band = {**_band(x, ""), "color": color}
    band["y"] = number("low", scale=UNIT, title="accuracy")
    start = {**x, "field": "first", "bandPosition": 0}
    majority = {"y": number("majority", aggregate="mean", scale=UNIT, title="accuracy")}
    return {
        "title": f"{result.task} · {probe}",
        "width": 230,
        "height": 120,
        "layer": [
            layer(borders, {"type": "rule", "color": BORDER}, {"x": start}),
            layer(base, {"type": "area", "opacity": 0.15}, band),
            layer(base, {"type": "rule", "color": INK, "strokeDash": [1, 3]}, majority),
            lines({"type": "line", "strokeDash": [5, 3], "strokeWidth": 1.2}, "control"),
            lines({"type": "line", "strokeWidth": 1.8}, "accuracy"),
            lines({"type": "point", "filled": True, "size": 16, "opacity": 1}, "accuracy"),
        ],
    }
