"""Tuning: which part has to learn, beside its controls, and what is forgotten."""

from typing import Any

from eyechart.report.files import Inputs
from eyechart.report.sections.tuning.charts import gains
from eyechart.report.sections.tuning.load import read_tuning


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the template shows, or None where nothing was tuned."""
    rows = read_tuning(inputs.paths("tuning"))
    if not rows:
        return None
    blocks = []
    for model in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == model]
        parts = [r for r in own if r["adaptable"]]
        said = [f"{r['task']} of {r['dataset']} at the part {r['part']}" for r in parts]
        chart = gains(own)
        blocks.append({"id": f"tuning-{model}", "model": model, "rows": own, "adaptable": said}
                      | {"chart": chart})  # fmt: skip
    return {"blocks": blocks}
