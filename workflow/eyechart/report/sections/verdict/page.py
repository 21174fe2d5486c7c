"""Verdicts: the table of classes and, model by model, the stages behind each class."""

from typing import Any

from eyechart.report.files import Inputs
from eyechart.report.sections.verdict.load import card


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the template shows, or None where there is no verdict."""
    found = card(inputs.paths("verdicts"))
    return found and {"card": found}
