"""Models: family, size and addresses of each."""

from typing import Any

from eyechart.core.address import abbreviate
from eyechart.core.files import read_json
from eyechart.report.files import Inputs

KINDS = {"vlm": "vision-language model", "encoder": "vision encoder"}


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template data, or None if no card is given."""
    cards = [describe(read_json(path)) for path in inputs.paths("cards")]
    return {"cards": cards} if cards else None


def describe(card: dict[str, Any]) -> dict[str, Any]:
    """Return the template data of one model."""
    addresses = [line["address"] for line in card["addresses"]]
    return {
        "model": card["model"],
        "kind": KINDS.get(card["kind"], card["kind"]),
        "asked": card["reads_text"],
        "family": card["family"],
        "parameters": card["parameters"],
        "count": len(addresses),
        "addresses": abbreviate(addresses),
        "reads": abbreviate(card["reads"]) if "connector" in addresses else "",
    }
