"""Training curves of the models that the workflow trained itself."""

from typing import Any

import altair as alt

from eyechart.report.chart_style import LINE_COLORS, UNIT, Rows, Spec, base, finish, scale_of
from eyechart.report.files import Inputs
from eyechart.report.sections.training.load import CONDITIONS, read_curves

DASHES = dict(zip(CONDITIONS, ([1, 0], [4, 3]), strict=True))
NAMES = {"told": "accuracy if told the scene"}


def figures(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Spec]:
    """Return the figure of all stages."""
    paths = inputs.paths("curves", "shipped_curves")
    return {"training_curves": training(read_curves(paths, settings["curve_points"]))}


def training(rows: Rows) -> Spec:
    """Draw one row of panels per stage: losses, then scores, by step."""
    strips = []
    for stage in dict.fromkeys(r["stage"] for r in rows):
        panels = {r["panel"] for r in rows if r["stage"] == stage}
        ordered = sorted(panels, key=lambda p: ("loss" not in p, p))
        strip = alt.hconcat(*(_panel(rows, stage, p) for p in ordered), spacing=26)
        strips.append(strip.resolve_scale(color="independent", strokeDash="independent"))
    chart = alt.vconcat(*strips, spacing=18)
    chart = chart.resolve_scale(color="independent", strokeDash="independent")
    return finish(chart, {"points": rows}, "Training curves: losses and held-out scores by step")


def _panel(rows: Rows, stage: str, panel: str) -> alt.Chart:
    here = [r for r in rows if (r["stage"], r["panel"]) == (stage, panel)]
    lines = sorted({r["line"] for r in here})
    values = [r["value"] for r in here]
    share = "loss" not in panel and min(values) >= 0 and max(values) <= 1
    colors = {line: LINE_COLORS[i % len(LINE_COLORS)] for i, line in enumerate(lines)}
    legend = {"title": None, "symbolType": "stroke"} if len(lines) > 1 else None
    dashed = {"title": "image", "symbolType": "stroke"} if panel == "accuracy" else None
    name = NAMES.get(panel, panel.replace("_", " "))
    return (
        base("points", stage=stage, panel=panel)
        .mark_line(strokeWidth=1.7)
        .encode(
            x=alt.X("step:Q", title="step", axis={"tickCount": 4}),
            y=alt.Y("value:Q", title=name, scale=UNIT if share else {"zero": False}),
            color=alt.Color("line:N", scale=scale_of(colors), legend=legend),
            strokeDash=alt.StrokeDash("condition:N", scale=scale_of(DASHES), legend=dashed),
            tooltip=["metric:N", "step:N", alt.Tooltip("value:Q", format=".4f")],
        )
        .properties(title=f"{stage}: {name}", width=250, height=170)
    )
