"""Selectivity over addresses and tasks, and confusion matrices."""

from collections.abc import Sequence
from typing import Any

from eyechart.report.chart_curves import curve_rows, in_order
from eyechart.report.chart_style import (
    BLUES,
    CROWDED,
    INK,
    PALE,
    VERMILION,
    Rows,
    Spec,
    layer,
    number,
    place_axis,
    quoted,
    spec,
    tips,
    view,
)
from eyechart.report.places import natural, order
from eyechart.report.results import TaskResult

SHARES = "% of each true class, over all seeds; rows are true answers"
MOST = 0.8  # selectivity at which the colour is darkest


def all_selectivity(results: Sequence[TaskResult], alpha: float) -> Spec:
    """Draw a heat map per scope and span (rows) and probe (columns)."""
    rows = map_rows(results)
    probes = sorted({r["probe"] for r in rows})
    strips = [
        {"hconcat": [_map(rows, scope, span, probe, alpha) for probe in probes], "spacing": 24}
        for scope, span in strips_of(rows)
    ]
    return spec({"vconcat": strips, "spacing": 14}, {"points": rows})


def one_selectivity(results: Sequence[TaskResult], probe: str, alpha: float) -> Spec:
    """Draw the heat maps of one probe for the page, spans side by side where there is room."""
    rows = [r for r in map_rows(results) if r["probe"] == probe]
    strips: list[Spec] = []
    for wanted in ("item", "image"):
        maps = [_map(rows, *strip, probe, alpha) for strip in strips_of(rows) if strip[0] == wanted]
        columns = {(r["address"], r["span"]) for r in rows if r["scope"] == wanted}
        direction = "hconcat" if len(columns) <= CROWDED else "vconcat"
        strips += [{direction: maps, "spacing": 24}] if maps else []
    return spec({"vconcat": strips, "spacing": 14}, {"points": []})


def map_rows(results: Sequence[TaskResult]) -> Rows:
    """Give the rows of the heat maps: a row per task, address, span, probe."""
    shown = ("task", "scope", "address", "span", "probe", "selectivity", "accuracy", "control")
    return [
        {k: r[k] for k in (*shown, "q", "low", "majority", "n_test")} for r in curve_rows(results)
    ]


def strips_of(rows: Rows) -> list[tuple[str, str]]:
    """Give the scopes and spans that have a heat map, item scope first."""
    return sorted({(r["scope"], r["span"]) for r in rows}, key=lambda s: (s[0] != "item", s[1]))


def confusions(results: Sequence[TaskResult]) -> Spec:
    """Draw the confusion matrix of every task at its best point, rows are true answers."""
    panels = [
        {
            "title": {"text": r.task, "subtitle": r.place()},
            "width": 170,
            "height": 170,
            **_matrix(
                view("points", f"datum.task === {quoted(r.task)}"),
                sorted(set(r.confusion["truth"]), key=natural),
            ),
        }
        for r in in_order(results)
    ]
    title = {"text": "Predictions at each task's best address", "subtitle": SHARES, "offset": 14}
    chart = {"title": title, "columns": 4, "spacing": 20, "concat": panels}
    return spec(chart, {"points": confusion_rows(results)})


def one_confusion() -> Spec:
    """Draw one confusion matrix whose rows the page fills in."""
    chart = {"width": 230, "height": 230, **_matrix(view("points"), None)}
    return spec(chart, {"points": []})


def confusion_rows(results: Sequence[TaskResult]) -> Rows:
    """Give the rows of the confusion matrices: task, point, truth, prediction, count, share."""
    found = []
    for r in in_order(results):
        place = {name: r.best[name] for name in ("task", "address", "span", "probe")}
        for row in r.confusion.to_dicts():
            found.append({**place, **row, "share": round(row["share"], 4)})
    return found


def _map(rows: Rows, scope: str, span: str, probe: str, alpha: float) -> Spec:
    here = [r for r in rows if (r["scope"], r["span"], r["probe"]) == (scope, span, probe)]
    addresses = sorted({r["address"] for r in here}, key=order)
    crowded = len(addresses) > CROWDED
    named = {"scope": scope, "span": span, "probe": probe}
    base = view("points", " && ".join(f"datum.{k} === {quoted(v)}" for k, v in named.items()))
    place = {"x": place_axis(addresses, -40), "y": _task_axis()}
    legend = {
        "title": f"selectivity (printed where q < {alpha:g} and above the majority answer)",
        "titleLimit": 0,
        "orient": "top",
        "labelExpr": "format(datum.value, '.1f')",  # "format" would also round what is read aloud
        "gradientLength": 220,
        "gradientStrokeColor": PALE,
    }
    scale = {"range": BLUES, "domain": [0, MOST], "clamp": True, "interpolate": "lab"}
    shown = tips(("task", "address", "span", "probe"), ("selectivity", "accuracy", "control"))
    cells = {**place, "color": number("selectivity", scale=scale, legend=legend), "tooltip": shown}
    layers = [layer(base, {"type": "rect", "stroke": PALE, "cursor": "pointer"}, cells)]
    short = "replace(format(datum.selectivity, '.2f'), '0.', '.')"
    text = {"calculate": "'•'" if crowded else short, "as": "text"}
    ink = _ink("datum.selectivity > 0.45", ("datum.selectivity < 0", VERMILION))
    printed = {**place, "text": {"field": "text"}, "color": ink}
    sure = {"filter": f"datum.q < {alpha} && datum.low > datum.majority"}
    layers.append(layer(base, {"type": "text", "fontSize": 10}, printed, sure, text))
    return {
        "title": f"{scope} tasks · span {span} · {probe}",
        "width": {"step": 14 if crowded else 38},
        "height": {"step": 20},
        "layer": layers,
    }


def _task_axis() -> Spec:
    return {"field": "task", "type": "ordinal", "title": None, "axis": {"minExtent": 90}}


def _ink(dark: str, *others: tuple[str, str]) -> Spec:
    # white on dark cells, ink on pale ones
    tests = [{"test": test, "value": color} for test, color in ((dark, "white"), *others)]
    return {"condition": tests, "value": INK}


def _matrix(base: Spec, labels: list[str] | None) -> dict[str, Any]:
    def axis(field: str, title: str) -> Spec:
        return {"field": field, "type": "ordinal", "sort": labels, "title": title}

    place = {"x": axis("prediction", "predicted"), "y": axis("truth", "true")}
    place["x"]["axis"] = {"labelAngle": -40}
    scale = {"range": BLUES[:-1], "domain": [0, 1], "interpolate": "lab"}
    shown = [{"field": name} for name in ("truth", "prediction", "count")]
    cells = {
        **place,
        "color": number("share", scale=scale, legend=None),
        "tooltip": [*shown, number("share", format=".1%")],
    }
    text = {"calculate": "format(100 * datum.share, '.0f')", "as": "text"}
    printed = {**place, "text": {"field": "text"}, "color": _ink("datum.share > 0.55")}
    some = {"filter": "datum.share >= 0.005"}  # less is printed as nothing, not as 0
    return {
        "layer": [
            layer(base, {"type": "rect", "stroke": PALE}, cells),
            layer(base, {"type": "text", "fontSize": 10}, printed, some, text),
        ]
    }
