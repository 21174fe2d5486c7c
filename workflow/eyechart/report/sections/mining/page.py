"""Mined pairs: how many were found, and where the sheets are that show them."""

from typing import Any

from eyechart.report.files import Inputs
from eyechart.report.sections.mining.load import read_mined


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the template shows, or None where nothing was mined."""
    mined = read_mined(inputs.of("pairs"))
    return {"mined": mined} if mined else None
