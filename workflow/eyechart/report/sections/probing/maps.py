"""Selectivity over addresses and tasks, and confusion matrices."""

from collections.abc import Sequence
from typing import TypeAlias

import altair as alt

from eyechart.core.address import sort_key
from eyechart.report import chart_style as style
from eyechart.report.labels import natural
from eyechart.report.sections.probing.curves import curve_rows, in_order
from eyechart.report.sections.probing.load import TaskResult

SHARES = "% of each true class, over all seeds; rows are true answers"
MOST = 0.8  # selectivity with the darkest colour
Maps: TypeAlias = alt.HConcatChart | alt.VConcatChart


def all_selectivity(results: Sequence[TaskResult], alpha: float) -> style.Spec:
    """Draw one heat map per scope and span (rows) and probe (columns)."""
    rows = map_rows(results)
    probes = sorted({r["probe"] for r in rows})
    strips = [
        alt.hconcat(*(_map(rows, scope, span, probe, alpha) for probe in probes), spacing=24)
        for scope, span in strips_of(rows)
    ]
    words = f"Selectivity at every address of {results[0].model} on {results[0].dataset}"
    return style.finish(alt.vconcat(*strips, spacing=14), {"points": rows}, words)


def one_selectivity(results: Sequence[TaskResult], probe: str, alpha: float) -> style.Spec:
    """Draw the heat maps of one probe for the page, with spans side by side if there is room."""
    rows = [r for r in map_rows(results) if r["probe"] == probe]
    strips: list[Maps] = []
    for wanted in ("item", "image"):
        maps = [_map(rows, *strip, probe, alpha) for strip in strips_of(rows) if strip[0] == wanted]
        columns = {(r["address"], r["span"]) for r in rows if r["scope"] == wanted}
        join = alt.hconcat if len(columns) <= style.CROWDED else alt.vconcat
        strips += [join(*maps, spacing=24)] if maps else []
    words = f"Selectivity of the {probe} probe at every address of {results[0].model}"
    return style.finish(alt.vconcat(*strips, spacing=14), {"points": []}, words)


def map_rows(results: Sequence[TaskResult]) -> style.Rows:
    """Return the rows of the heat maps: one per task, address, span and probe."""
    shown = ("task", "scope", "address", "span", "probe", "selectivity", "accuracy", "control")
    return [
        {k: r[k] for k in (*shown, "q", "low", "majority", "n_test")} for r in curve_rows(results)
    ]


def strips_of(rows: style.Rows) -> list[tuple[str, str]]:
    """Return the scopes and spans with a heat map, item scope first."""
    return sorted({(r["scope"], r["span"]) for r in rows}, key=lambda s: (s[0] != "item", s[1]))


def confusions(results: Sequence[TaskResult]) -> style.Spec:
    """Draw the confusion matrix of every task at its best point; rows are true answers."""
    panels = [
        _matrix(
            style.base("points", task=r.task), sorted(set(r.confusion["truth"]), key=natural)
        ).properties(title={"text": r.task, "subtitle": r.best_name()}, width=170, height=170)
        for r in in_order(results)
    ]
    title = {"text": "Predictions at each task's best address", "subtitle": SHARES, "offset": 14}
    chart = alt.concat(*panels, columns=4, spacing=20).properties(title=title)
    words = f"{title['text']}: {results[0].model} on {results[0].dataset}; {SHARES}"
    return style.finish(chart, {"points": confusion_rows(results)}, words)


def one_confusion() -> style.Spec:
    """Draw one confusion matrix, whose rows the page fills in."""
    chart = _matrix(style.base("points"), None).properties(width=230, height=230)
    return style.finish(chart, {"points": []}, f"Confusion matrix; {SHARES}")


def confusion_rows(results: Sequence[TaskResult]) -> style.Rows:
    """Return the rows of the confusion matrices: task, point, truth, prediction, count, share."""
    found = []
    for r in in_order(results):
        point = {name: r.best[name] for name in ("task", "address", "span", "probe")}
        for row in r.confusion.to_dicts():
            found.append({**point, **row, "share": round(row["share"], 4)})
    return found


def _map(rows: style.Rows, scope: str, span: str, probe: str, alpha: float) -> alt.LayerChart:
    here = [r for r in rows if (r["scope"], r["span"], r["probe"]) == (scope, span, probe)]
    addresses = sorted({r["address"] for r in here}, key=sort_key)
    crowded = len(addresses) > style.CROWDED
    cells = style.base("points", scope=scope, span=span, probe=probe).encode(
        x=style.address_axis(addresses, -40), y=alt.Y("task:O", title=None, axis={"minExtent": 90})
    )
    legend = {
        "title": f"selectivity (printed where q < {alpha:g} and above the majority answer)",
        "titleLimit": 0,
        "orient": "top",
        "labelExpr": "format(datum.value, '.1f')",  # "format" would also round the alternative text
        "gradientLength": 220,
        "gradientStrokeColor": style.PALE,
    }
    scale = {"range": style.BLUES, "domain": [0, MOST], "clamp": True, "interpolate": "lab"}
    color = alt.Color("selectivity:Q", scale=scale, legend=legend)
    shown = style.tips(("task", "address", "span", "probe"), ("selectivity", "accuracy", "control"))
    short = "replace(format(datum.selectivity, '.2f'), '0.', '.')"
    ink = (
        alt.when("datum.selectivity > 0.45")
        .then(alt.value("white"))
        .when("datum.selectivity < 0")
        .then(alt.value(style.VERMILION))
        .otherwise(alt.value(style.INK))
    )
    printed = (
        cells.transform_filter(f"datum.q < {alpha} && datum.low > datum.majority")
        .transform_calculate(text="'•'" if crowded else short)
        .mark_text(fontSize=10)
        .encode(text="text:N", color=ink)
    )
    return alt.layer(
        cells.mark_rect(stroke=style.PALE, cursor="pointer").encode(color=color, tooltip=shown),
        printed,
    ).properties(
        title=f"{scope} tasks · span {span} · {probe}",
        width={"step": 14 if crowded else 38},
        height={"step": 20},
    )


def _matrix(chart: alt.Chart, labels: list[str] | None) -> alt.LayerChart:
    cells = chart.encode(
        x=alt.X("prediction:O", sort=labels, title="predicted", axis={"labelAngle": -40}),
        y=alt.Y("truth:O", sort=labels, title="true"),
    )
    return style.shares_matrix(cells, ["truth:N", "prediction:N", "count:Q"], 10)
