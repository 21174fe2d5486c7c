"""The figures of the probes of one model on one dataset."""

from typing import Any

from eyechart.report.chart_style import Spec
from eyechart.report.files import Inputs
from eyechart.report.sections.probing.components import components
from eyechart.report.sections.probing.curves import all_curves
from eyechart.report.sections.probing.load import read_results
from eyechart.report.sections.probing.maps import all_selectivity, confusions


def figures(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Spec]:
    """Return the figures of one model on one dataset."""
    results = read_results(inputs)
    return {
        "layer_curves": all_curves(results),
        "selectivity": all_selectivity(results, settings["alpha"]),
        "confusion": confusions(results),
        "components": components(results),
    }
