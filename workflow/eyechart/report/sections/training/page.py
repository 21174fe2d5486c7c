"""Training: the curves and the names of the stages."""

from typing import Any

from eyechart.report.files import Inputs
from eyechart.report.sections.training.charts import training
from eyechart.report.sections.training.load import read_curves


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template data, or None if nothing was trained."""
    curves = read_curves(inputs.paths("curves", "shipped_curves"), settings["curve_points"])
    if not curves:
        return None
    stages = list(dict.fromkeys(row["stage"] for row in curves))
    return {"stages": stages, "charts": {"training": training(curves)}}
