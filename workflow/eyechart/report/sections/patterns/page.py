"""Encoder against VLM: pair accuracy by pattern, and how the two go together."""

from typing import Any

from eyechart.report.files import Inputs
from eyechart.report.sections.patterns.load import overview


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the template shows, or None where no dataset has pairs."""
    found = overview(inputs.paths("patterns"), inputs.paths("correlations"))
    return found and {"patterns": found}
