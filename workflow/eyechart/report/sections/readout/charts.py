"""Layer curves of readouts: accuracy along the model, with the model's own responses."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from eyechart.core.address import sort_key
from eyechart.report import chart_style as style
from eyechart.report.files import Inputs
from eyechart.report.labels import SIGHTED
from eyechart.report.sections.readout.load import NAMES, Readout, blind_name, read_readouts
from eyechart.tables.readouts import MANY
from eyechart.tables.regions import SEEN

SHOWN = (
    *("task", "seen", "address", "readout", "component", "value", "ci_low", "ci_high"),
    *("control", "control_low", "control_high", "chance", "n", "groups"),
    *("answer", "difference", "p", "q"),
)
RESPONSES = {
    SIGHTED: ("its own response", style.VERMILION),
    "blind": ("its blind response", style.ORANGE),
}
SECOND = ("cls", "depth_dpt")  # the second readout of a task
LINES = {
    "first": ("readout", style.BLUE),
    "second": ("class token, or depth head over blocks", style.PURPLE),
}
DASHES = {"alone": [1, 0], "canvas": [6, 3]}
SEEN_AS = {"alone": "each image alone", "canvas": "as the VLM sees it"}
WIDTH, HEIGHT = 300, 150  # px
KEY = [
    "bands: 95% intervals · thin grey: control, tokens at shuffled positions · dotted: chance",
    "vertical lines: borders between components · grey: outputs that the connector does not read",
    "diamonds: as the VLM sees it",
]
NUMBERS = {
    "value": "accuracy",
    "ci_low": "95% from",
    "ci_high": "95% to",
    "control": "after shuffling",
}


def figures(inputs: Inputs, settings: dict[str, Any]) -> dict[str, style.Spec]:
    """Return the figure of one model on one dataset."""
    (readout,) = read_readouts(inputs)
    return {"readouts": readouts(readout)}


def readout_rows(readout: Readout) -> style.Rows:
    """Return one row per task, value of ``seen``, address and readout.

    Each row also has the model's own sighted and blind accuracy over all items of the task.
    """
    found = []
    for task in readout.tasks():
        own = {}
        for name in RESPONSES:
            row = _response(readout, task, name)
            for field, end in (("value", ""), ("ci_low", "_low"), ("ci_high", "_high")):
                own[f"{name}{end}"] = row[field] if row else None
        for row in readout.of(task):
            line = {"line": "second" if row["readout"] in SECOND else "first"}
            found.append({k: row[k] for k in SHOWN} | own | line)
    return style.rounded(found)


def readouts(readout: Readout, columns: int = 2) -> style.Spec:
    """Draw one panel per task, as a figure or as a chart on the page."""
    rows = readout_rows(readout)
    name = f"{readout.model} on {readout.dataset}"
    if not rows:
        return style.empty(name, "no item could be read out")
    responses = [row for task in readout.tasks() for row in _responses(readout, task)]
    there = {row["line"] for row in (*rows, *responses)}
    color = _colors(readout, [line for line in (*LINES, *RESPONSES) if line in there])
    seen = [one for one in SEEN if any(row["seen"] == one for row in rows)]
    dash = _legend(alt.StrokeDash, "seen:N", {one: DASHES[one] for one in seen}, SEEN_AS)
    borders = [
        {**edge, "task": task}
        for task in readout.tasks()
        for edge in style.component_borders(
            {row["address"] for row in readout.of(task)}, readout.reads
        )
    ]
    panels = [_panel(readout, task, color, dash) for task in readout.tasks()]
    chart = alt.concat(*panels, columns=columns, spacing=24)
    chart = chart.resolve_scale(color="shared", strokeDash="shared")
    chart = chart.properties(title={"text": name, "subtitle": KEY, "offset": 14})
    data = {"points": rows, "components": borders, "responses": style.rounded(responses)}
    return style.finish(chart, data, f"Readouts along {name}; {'; '.join(KEY)}")


def _panel(readout: Readout, task: str, color: Any, dash: Any) -> alt.LayerChart:
    points = readout.of(task)
    addresses = sorted({row["address"] for row in points}, key=sort_key)
    x = style.address_axis(addresses, -45)
    chart, borders, responses = (
        style.base(name, task=task) for name in ("points", "components", "responses")
    )
    detail = ["seen:N", "readout:N"]
    few = f"indexof({list(MANY)}, datum.address) >= 0 || {len(addresses)} <= {style.CROWDED}"
    shape = alt.when("datum.seen === 'canvas'").then(alt.value("diamond"))
    names = borders.mark_text(
        align="left", color=style.GREY, fontSize=10, dx=3, dy=-5, fontStyle="italic"
    )
    return alt.layer(
        style.border_rules(borders, addresses, -45),
        responses.mark_rect(opacity=0.13).encode(y=_y("low:Q"), y2="high", color=color),
        chart.mark_rule(color=style.INK, strokeDash=[1, 3]).encode(y=_y("mean(chance):Q")),
        responses.mark_rule(strokeWidth=2).encode(y=_y("value:Q"), color=color),
        chart.mark_area(opacity=0.15).encode(
            x=x, y=_y("ci_low:Q"), y2="ci_high", color=color, detail=detail
        ),
        chart.mark_line(strokeWidth=1, color=style.BORDER).encode(
            x=x, y=_y("control:Q"), strokeDash=dash, detail=detail
        ),
        chart.mark_line(strokeWidth=2).encode(x=x, y=_y("value:Q"), color=color, strokeDash=dash),
        chart.transform_filter(few)
        .mark_point(filled=True, opacity=1, size=30)
        .encode(
            x=x,
            y=_y("value:Q"),
            color=color,
            shape=shape.otherwise(alt.value("circle")),
            tooltip=_tips(points),
        ),
        names.encode(
            x=style.address_axis(addresses, -45, "first", bandPosition=0),
            y=alt.value(0),
            text="name:N",
        ),
    ).properties(title=_title(task, points), width=WIDTH, height=HEIGHT)


def _y(field: str) -> alt.Y:
    return alt.Y(field, scale=style.UNIT, title="accuracy")


def _title(task: str, points: style.Rows) -> style.Spec:
    n = sorted({row["n"] for row in points})
    words = f"n {n[0]:,}" + (f" to {n[-1]:,}" if len(n) > 1 else "")
    how = " · ".join(NAMES.get(name, name) for name in dict.fromkeys(r["readout"] for r in points))
    return {"text": f"{NAMES.get(task, task)} ({words})", "subtitle": how}


def _colors(readout: Readout, names: Sequence[str]) -> Any:
    looks = {**LINES, **RESPONSES}
    words = {name: looks[name][0] for name in names}
    if "blind" in words:
        words["blind"] += f" ({blind_name(readout)})"
    return _legend(alt.Color, "line:N", {name: looks[name][1] for name in names}, words)


def _legend(channel: Any, field: str, values: Mapping[str, Any], words: dict[str, str]) -> Any:
    legend = {"title": None, "orient": "top", "symbolType": "stroke", "symbolSize": 400}
    legend |= {"labelExpr": style.renamed(words), "columns": 2, "symbolOpacity": 1}
    return channel(field, scale=style.scale_of(values), legend=legend)


def _tips(points: style.Rows) -> list[Any]:
    """Return the tooltip of a point, with responses if the model responds."""
    compared = any(row["answer"] is not None for row in points)
    named = NUMBERS | ({"difference": "minus its own response"} if compared else {})
    shares = style.decimals(named)
    test = [alt.Tooltip("q:Q", format=".2g")] if compared else []
    return ["address:N", "readout:N", "seen:N", *shares, *test, "n:Q"]


def _response(readout: Readout, task: str, name: str) -> dict[str, Any] | None:
    condition = readout.blind() if name == "blind" else name
    return readout.responses.get(task, {}).get(condition or "")


def _responses(readout: Readout, task: str) -> style.Rows:
    found = []
    for name in RESPONSES:
        row = _response(readout, task, name)
        if row:
            own = {"task": task, "line": name, "value": row["value"]}
            found.append(own | {"low": row["ci_low"], "high": row["ci_high"]})
    return found
