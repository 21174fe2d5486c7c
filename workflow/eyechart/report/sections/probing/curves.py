"""Layer curves: accuracy along the model, with its controls, the majority answer and chance."""

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import altair as alt

from eyechart.core.address import sort_key
from eyechart.report import chart_style as style
from eyechart.report.sections.probing.load import TaskResult

SERIES = {  # name, colour and dashes
    "accuracy": ("task", style.BLUE, [1, 0]),
    "control": ("control by type", style.VERMILION, [6, 3]),
    "permutation": ("labels permuted", style.PURPLE, [2, 2]),
    "majority": ("majority answer", style.INK, [9, 3, 2, 3]),
    "chance": ("chance", style.GREY, [1, 3]),
}
KEY = (
    "solid: task, with its 95% interval · dashed: control task by type · "
    "dotted: majority answer · grey lines: borders between components, grey areas: not read"
)
SHOWN = (
    *("task", "scope", "address", "span", "probe", "component", "accuracy", "low", "high"),
    *("control", "control_low", "control_high", "permutation", "majority", "chance"),
    *("selectivity", "selectivity_low", "selectivity_high", "p", "q", "cv_accuracy"),
    *("n_train", "n_test", "n_classes", "seeds"),
)
SIGNALS = ("task", "span", "probe", "scope")
CHOSEN = "datum.task === task && datum.span === span && datum.probe === probe"
WITHOUT_QUESTION = "scope === 'item' && !datum.question"  # addresses without the question
UNREACHED = ["no question is read here:", "its region or type is used instead"]
HELD_OUT = "accuracy on held-out test items"


def in_order(results: Sequence[TaskResult]) -> list[TaskResult]:
    """Return the results in figure order: item tasks first, then by name."""
    return sorted(results, key=lambda r: (r.scope != "item", r.task))


def curve_rows(results: Sequence[TaskResult]) -> style.Rows:
    """Return one row per task, address, span and probe."""
    return style.rounded(
        {name: row[name] for name in SHOWN} for r in results for row in r.points.to_dicts()
    )


def all_curves(results: Sequence[TaskResult]) -> style.Spec:
    """Draw one small panel per task and probe, with coloured spans and dashed controls."""
    rows = curve_rows(results)
    spans = sorted({r["span"] for r in rows})
    probes = sorted({r["probe"] for r in rows})
    borders = [
        {**edge, "scope": scope}
        for scope in sorted({r["scope"] for r in rows})
        for edge in style.component_borders(
            {r["address"] for r in rows if r["scope"] == scope}, results[0].reads
        )
    ]
    panels = [_panel(r, probe, spans) for r in in_order(results) for probe in probes]
    chart = alt.concat(*panels, columns=2 * len(probes), spacing=18)
    title = {"text": "Accuracy along the model", "subtitle": KEY, "offset": 14}
    return style.finish(
        chart.properties(title=title),
        {"points": rows, "components": borders},
        f"Accuracy of probes along {results[0].model} on {results[0].dataset}; {KEY}",
    )


def one_curve(results: Sequence[TaskResult], height: int) -> style.Spec:
    """Draw the page's large curve; the signals ``task, span, probe, scope`` select its content."""
    addresses = sorted({a for r in results for a in r.points["address"]}, key=sort_key)
    x = style.address_axis(addresses, -40 if len(addresses) > 8 else 0)
    chosen = style.base("points").transform_filter(CHOSEN)
    names = ("accuracy", "low", "high", "control", "permutation", "selectivity")
    point = chosen.mark_point(filled=True, size=64, opacity=1, color=style.BLUE).encode(
        x=x,
        y="accuracy:Q",
        tooltip=style.tips(("address", "span", "probe"), (*names, "majority", "chance")),
    )
    layers = alt.layer(
        *_components(height, addresses),
        _band(chosen, x, "").mark_area(opacity=0.16, color=style.BLUE),
        _band(chosen, x, "control_").mark_area(opacity=0.12, color=style.VERMILION),
        _lines(chosen, x),
        point,
    )
    chart = style.finish(
        layers.properties(width="container", height=height),
        {"points": [], "components": style.component_borders(addresses, results[0].reads)},
        f"Accuracy of one task along {results[0].model}, with controls, majority answer and chance",
    )
    start = curve_start(results)
    return chart | {"params": [{"name": name, "value": start[name]} for name in SIGNALS]}


def curve_start(results: Sequence[TaskResult]) -> dict[str, str]:
    """Return the initial view of the page: the best point of the most selective task."""
    best = max(results, key=lambda r: float(r.best["selectivity"])).best
    return {name: best[name] for name in SIGNALS}


def _band(chart: alt.Chart, x: alt.X, prefix: str, title: str = HELD_OUT) -> alt.Chart:
    y = alt.Y(f"{prefix}low:Q", scale=style.UNIT, title=title)
    return chart.encode(x=x, y=y, y2=f"{prefix}high")


def _lines(chart: alt.Chart, x: alt.X) -> alt.Chart:
    label = style.renamed({field: name for field, (name, _, _) in SERIES.items()})
    legend: dict[str, Any] = {"title": None, "orient": "top", "symbolType": "stroke"}
    legend |= {"symbolSize": 500, "labelExpr": label}
    legend |= {"columns": {"expr": "width < 330 ? 2 : 0"}}  # two columns on a phone
    color = style.scale_of({field: look[1] for field, look in SERIES.items()})
    dash = style.scale_of({field: look[2] for field, look in SERIES.items()})
    return (
        chart.transform_fold(list(SERIES), as_=["series", "value"])
        .mark_line(strokeWidth=2)
        .encode(
            x=x,
            y=alt.Y("value:Q", scale=style.UNIT),
            color=alt.Color("series:N", scale=color, legend=legend),
            strokeDash=alt.StrokeDash("series:N", scale=dash, legend=legend),
        )
    )


def _components(height: int, addresses: Sequence[str]) -> list[alt.Chart]:
    """Return shading where the question is not visible, component borders, and component names."""
    edges = style.base("components")
    angle = -40 if len(addresses) > 8 else 0
    start = style.address_axis(addresses, angle, "first", bandPosition=0)
    end = alt.X2("last", bandPosition=1)
    top, bottom, middle = (alt.value(v) for v in (0, height, height / 2))
    small = {"align": "left", "color": style.GREY, "fontSize": 11}
    unreached = edges.transform_filter(WITHOUT_QUESTION)
    vision = unreached.transform_filter("datum.component === 'vision'")
    return [
        unreached.mark_rect(color="#f3f4f6").encode(x=start, x2=end, y=top, y2=bottom),
        style.border_rules(edges, addresses, angle),
        edges.mark_text(**small, dx=6, dy=-7, fontStyle="italic").encode(
            x=start, y=top, text="name:N"
        ),
        vision.mark_text(**small, dx=8, text=UNREACHED).encode(x=start, y=middle),
    ]


def _panel(result: TaskResult, probe: str, spans: Sequence[str]) -> alt.LayerChart:
    addresses = sorted(set(result.points["address"]), key=sort_key)
    x = style.address_axis(addresses, -45)
    points = style.base("points", task=result.task, probe=probe)
    legend = {"title": "span", "orient": "top", "symbolType": "stroke", "symbolSize": 300}
    scale = style.scale_of(dict(zip(spans, cycle(style.LINE_COLORS), strict=False)))
    color = alt.Color("span:N", scale=scale, legend=legend | {"symbolOpacity": 1})

    def along(field: str, **more: str) -> dict[str, object]:
        return {
            "x": x,
            "y": alt.Y(field, scale=style.UNIT, title="accuracy", **more),
            "color": color,
        }

    majority = alt.Y("mean(majority):Q", scale=style.UNIT, title="accuracy")
    return alt.layer(
        style.border_rules(style.base("components", scope=result.scope), addresses, -45),
        _band(points, x, "", "accuracy").mark_area(opacity=0.15).encode(color=color),
        points.mark_rule(color=style.INK, strokeDash=[1, 3]).encode(y=majority, detail="span:N"),
        points.mark_line(strokeDash=[5, 3], strokeWidth=1.2).encode(**along("control:Q")),
        points.mark_line(strokeWidth=1.8).encode(**along("accuracy:Q")),
        points.mark_point(filled=True, size=16, opacity=1).encode(**along("accuracy:Q")),
    ).properties(title=f"{result.task} · {probe}", width=230, height=120)
