"""Decodability at each component of the model, at its best point."""

from collections.abc import Sequence

import altair as alt

from eyechart.core.address import COMPONENT_NAMES
from eyechart.report import chart_style as style
from eyechart.report.sections.probing.load import TaskResult

SHOWN = (
    *("task", "scope", "component", "address", "span", "probe", "accuracy", "low", "high"),
    *("n_test", "control", "selectivity", "q", "majority", "chance"),
)
MARKS = ("circle", "square", "triangle-up", "triangle-down", "diamond")
SHAPES = dict(zip(style.COMPONENT_COLORS, MARKS, strict=True))
NUMBERS = ("accuracy", "low", "high", "control", "majority", "chance", "selectivity")
TITLE = "accuracy at the component's best address (95% interval)"


def component_rows(results: Sequence[TaskResult]) -> style.Rows:
    """Return one row per task and component: its best point, chosen by cross-validation."""
    return style.rounded(
        {name: point[name] for name in SHOWN} | {"column": f"{point['address']}/{point['span']}"}
        for r in sorted(results, key=lambda r: (r.scope != "image", r.task))
        for point in r.components.values()
    )


def components(results: Sequence[TaskResult]) -> style.Spec:
    """Draw accuracy with interval per task and component; ticks mark the majority answer."""
    rows = component_rows(results)
    scopes = sorted({r["scope"] for r in rows})  # image first: only it has all components
    chart = alt.vconcat(*(_scope(rows, scope) for scope in scopes), spacing=22)
    words = f"Accuracy at the best address of each component of {results[0].model}"
    return style.finish(chart, {"points": rows}, words)


def _scope(rows: style.Rows, scope: str) -> alt.LayerChart:
    names = [n for n in style.COMPONENT_COLORS if any(r["component"] == n for r in rows)]
    here = [n for n in names if any(r["component"] == n and r["scope"] == scope for r in rows)]
    legend = {"title": None, "orient": "top", "labelExpr": style.renamed(COMPONENT_NAMES)}
    color = style.scale_of({n: style.COMPONENT_COLORS[n] for n in names})
    shape = style.scale_of({n: SHAPES[n] for n in names})
    task = alt.Y("task:O", title=None, axis={"minExtent": 90})
    chart = style.base("points", scope=scope).encode(y=task)
    drawn = chart.encode(color=alt.Color("component:N", scale=color, legend=legend))
    if len(here) > 1:  # a single component needs no offset; one shared with the panel above would
        drawn = drawn.encode(yOffset=alt.YOffset("component:N", sort=here))  # shift it
    band = 14 * len(here) + 4
    tick = chart.mark_tick(color=style.INK, thickness=1.5, size=band)
    point = drawn.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X(
            "accuracy:Q", scale=style.UNIT, title=TITLE, axis={"format": ".1f", "tickCount": 10}
        ),
        shape=alt.Shape("component:N", scale=shape, legend=legend),
        tooltip=style.tips(("task", "component", "column", "probe"), NUMBERS),
    )
    line = drawn.mark_rule(strokeWidth=1.6).encode(x=alt.X("low:Q", scale=style.UNIT), x2="high")
    return alt.layer(tick.encode(x=alt.X("majority:Q", scale=style.UNIT)), line, point).properties(
        title=f"{scope} tasks (black tick: majority answer)",
        width=640,
        height=len({r["task"] for r in rows if r["scope"] == scope}) * (band + 8),
    )
