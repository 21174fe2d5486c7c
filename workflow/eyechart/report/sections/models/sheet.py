"""Write a model's card as a page that works offline.

Reads card.json and the image next to it; writes card.html.

    python -m eyechart.report.sections.models.sheet --card results/models/tiny_llava/card.json \
        --view results/models/tiny_llava/view.png --output results/models/tiny_llava/card.html
"""

import base64
from pathlib import Path
from typing import Any

from eyechart.core.address import COMPONENT_NAMES
from eyechart.core.files import read_json, write_text
from eyechart.core.step import command
from eyechart.report.templates import render_sheet

NAMES = {**COMPONENT_NAMES, "rest": "other parameters"}


def render(card: dict[str, Any], view: bytes) -> str:
    """Return the page for a card and its image (PNG)."""
    return render_sheet(
        "models",
        card=card,
        names=NAMES,
        addresses=folded(card["addresses"]),
        view=base64.b64encode(view).decode(),
    )


def folded(addresses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return addresses, with runs of equal blocks combined to one line with first and last."""
    lines: list[dict[str, Any]] = []
    for address in addresses:
        stem, _, number = address["address"].rpartition(".")
        like = (
            stem if number.isdigit() else address["address"],
            address["width"],
            address["spans"],
        )
        if lines and lines[-1]["like"] == like:
            lines[-1]["last"] = address
        else:
            lines.append({"like": like, "first": address, "last": address})
    return lines


@command
def main(*, card: Path, view: Path, output: Path) -> None:
    """Write one page."""
    write_text(output, render(read_json(card), view.read_bytes()))


if __name__ == "__main__":
    main()
