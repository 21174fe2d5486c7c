"""Encoder against VLM: pair accuracy by pattern, and correlations."""

from typing import Any

from eyechart.report.files import Inputs
from eyechart.report.sections.patterns.load import overview


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template data, or None if no dataset has pairs."""
    found = overview(inputs.paths("patterns"), inputs.paths("correlations"))
    return found and {"patterns": found}
