"""Verdicts: what each model does in two sentences, the card of classes, and all their evidence."""

from typing import Any

from eyechart.report.files import Inputs
from eyechart.report.sections.verdict.load import card


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the template shows, or None where there is no verdict."""
    found = card(inputs.paths("verdicts"))
    return found and {"card": found}
