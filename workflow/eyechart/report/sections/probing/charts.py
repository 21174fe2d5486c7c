"""The figures of the probes of one model on one dataset."""

from typing import Any

from eyechart.report import chart_style as style
from eyechart.report.files import Inputs
from eyechart.report.sections.probing.components import components
from eyechart.report.sections.probing.curves import all_curves
from eyechart.report.sections.probing.load import read_gaps, read_results
from eyechart.report.sections.probing.maps import all_selectivity, confusions

NAMES = ("layer_curves", "selectivity", "confusion", "components")


def figures(inputs: Inputs, settings: dict[str, Any]) -> dict[str, style.Spec]:
    """Return the figures of one model on one dataset."""
    results = read_results(inputs)
    if not results:
        reasons = "; ".join(f"{gap['task']}: {gap['reason']}" for gap in read_gaps(inputs))
        return dict.fromkeys(NAMES, style.empty("No task is probed", reasons))
    drawn = (
        all_curves(results),
        all_selectivity(results, settings["alpha"]),
        confusions(results),
        components(results),
    )
    return dict(zip(NAMES, drawn, strict=True))
