"""Training curves of the models that the workflow trained itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from eyechart.report.chart_style import (
    LINE_COLORS,
    UNIT,
    Rows,
    Spec,
    label,
    layer,
    number,
    quoted,
    spec,
    view,
)
from eyechart.tables.parquet import read_table

SHOWN = ("sighted", "blank")  # what the model was shown while it was scored
COLUMNS = ["stage", "step", "metric", "value"]


def read_curves(paths: Sequence[Path], points: int) -> Rows:
    """Read training curves, thinned to at most about ``points`` steps per stage and metric.

    The metrics ``sighted/color`` and ``blank/color`` are two lines of one panel ``accuracy``; any
    other metric is a panel of its own. The first and the last step are always kept.
    """
    found: Rows = []
    for path in paths:
        table = pl.DataFrame(read_table(path, COLUMNS)).drop_nulls()
        for _, part in table.group_by("metric", maintain_order=True):
            rows = part.sort("step")
            every = max(1, -(-len(rows) // points))
            thin = rows.with_row_index("i").filter(
                (pl.col("i") % every == 0) | (pl.col("i") == len(rows) - 1)
            )
            found += [_row(row) for row in thin.to_dicts()]
    return found


def training(rows: Rows) -> Spec:
    """Draw a row of panels per stage: losses, then scores, against the step."""
    stages = list(dict.fromkeys(r["stage"] for r in rows))
    own = {"scale": {"color": "independent", "strokeDash": "independent"}}
    strips = []
    for stage in stages:
        panels = sorted(
            {r["panel"] for r in rows if r["stage"] == stage}, key=lambda p: ("loss" not in p, p)
        )
        panel_specs = [_panel(rows, stage, p) for p in panels]
        strips.append({"hconcat": panel_specs, "spacing": 26, "resolve": own})
    return spec({"vconcat": strips, "spacing": 18, "resolve": own}, {"points": rows})


def _row(row: dict[str, Any]) -> dict[str, Any]:
    first, _, line = row["metric"].partition("/")
    panel = "accuracy" if first in SHOWN else first
    shown = first if first in SHOWN else SHOWN[0]
    return {**row, "value": round(row["value"], 5), "panel": panel, "line": line, "shown": shown}


def _panel(rows: Rows, stage: str, panel: str) -> Spec:
    here = [r for r in rows if (r["stage"], r["panel"]) == (stage, panel)]
    lines = sorted({r["line"] for r in here})
    values = [r["value"] for r in here]
    share = "loss" not in panel and min(values) >= 0 and max(values) <= 1
    colors = {"domain": lines, "range": [LINE_COLORS[i % 6] for i in range(len(lines))]}
    dashes = {"domain": list(SHOWN), "range": [[1, 0], [4, 3]]}
    legend = {"title": None, "symbolType": "stroke"} if len(lines) > 1 else None
    dashed = {"title": "picture", "symbolType": "stroke"} if panel == "accuracy" else None
    name = panel.replace("_", " ")
    encoding = {
        "x": number("step", title="step", axis={"tickCount": 5}),
        "y": number("value", title=name, scale=UNIT if share else {"zero": False}),
        "color": label("line", scale=colors, legend=legend),
        "strokeDash": label("shown", scale=dashes, legend=dashed),
        "tooltip": [label("metric"), label("step"), number("value", format=".4f")],
    }
    base = view("points", f"datum.stage === {quoted(stage)} && datum.panel === {quoted(panel)}")
    unit = layer(base, {"type": "line", "strokeWidth": 1.7}, encoding)
    return {"title": f"{stage}: {name}", "width": 320, "height": 170, **unit}
