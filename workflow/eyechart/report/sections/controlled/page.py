"""Controlled models: encoder contents against answers, and mixtures by share."""

from typing import Any

from eyechart.report.files import Inputs
from eyechart.report.sections.controlled.charts import mixtures
from eyechart.report.sections.controlled.load import curve, read_built, stages


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template data, or None without controlled models."""
    built = read_built(inputs)
    if not built:
        return None
    points = curve(inputs, built)
    rows = stages(inputs, built)
    return {"built": built, "rows": rows, "points": points, "charts": mixtures(points)}
