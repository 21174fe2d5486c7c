"""Verdicts: sentences about each model, the card of classes, and all evidence."""

from typing import Any

from eyechart.report.files import Inputs
from eyechart.report.sections.verdict.load import card


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template data, or None if there is no verdict."""
    found = card(inputs.paths("verdicts"))
    return found and {"card": found}
