"""Gain of each arm over the same tuning on white images, with intervals."""

from typing import Any

import altair as alt

from eyechart.report import chart_style as style
from eyechart.report.files import Inputs
from eyechart.report.sections.tuning.load import Row, read_tuning

SHOWN = (
    *("model", "dataset", "task", "arm", "part", "parameters", "steps", "before", "after"),
    *("gain", "gain_low", "gain_high", "p", "q", "n", "groups", "adaptable"),
)
KEY = "after true images minus after white ones, or minus before if that is more · lines: 95%"
NUMBERS = ("before", "after", "gain", "gain_low", "gain_high", "q")


def figures(inputs: Inputs, settings: dict[str, Any]) -> dict[str, style.Spec]:
    """Return the figure of all models."""
    return {"gains": gains(read_tuning(inputs.paths("tuning")))}


def gains(rows: list[Row]) -> style.Spec:
    """Draw the gain of each arm, one panel per model and task."""
    points = style.rounded({name: row[name] for name in SHOWN} for row in rows)
    named = [{**p, "panel": f"{p['model']}: {p['task']} of {p['dataset']}"} for p in points]
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    panels = [_panel(panel, arms) for panel in dict.fromkeys(p["panel"] for p in named)]
    chart = alt.concat(*panels, columns=2, spacing=24)
    title = "What tuning gained, by what learns"
    chart = chart.properties(title={"text": title, "subtitle": KEY, "offset": 14})
    return style.finish(chart, {"points": named}, f"{title}; {KEY}")


def _panel(panel: str, arms: list[str]) -> alt.LayerChart:
    chart = style.base("points", panel=panel)
    y = alt.Y("arm:N", title=None, sort=arms)
    low = alt.X("gain_low:Q", title="gain in accuracy", axis={"format": "+.2f", "tickCount": 4})
    tips = style.decimals(NUMBERS, ".3g")
    shown = alt.when("datum.adaptable === true").then(alt.value(style.VERMILION))
    color = shown.otherwise(alt.value(style.BLUE))
    layers = alt.layer(
        chart.mark_rule(color=style.GREY, strokeDash=[2, 2]).encode(x=alt.datum(0)),
        chart.mark_rule(strokeWidth=1.7).encode(x=low, x2="gain_high:Q", y=y, color=color),
        chart.mark_point(filled=True, size=70, opacity=1).encode(
            x="gain:Q", y=y, color=color, tooltip=["arm:N", *tips, "n:Q"]
        ),
    )
    return layers.properties(title=panel, width=280, height=26 * len(arms))
