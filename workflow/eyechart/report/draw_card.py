"""Put a model's card on one page that works offline.

Reads card.json and the picture beside it; writes card.html.

    python -m eyechart.report.draw_card --card results/models/tiny_llava/card.json \
        --view results/models/tiny_llava/view.png --output results/models/tiny_llava/card.html
"""

import argparse
import base64
from pathlib import Path
from typing import Any

from eyechart import errors
from eyechart.report.templates import open_templates
from eyechart.tables.files import read_json, write_text

TEMPLATES = Path(__file__).resolve().parents[2] / "report"
NAMES = {
    "vision": "Eyes: vision encoder",
    "connector": "Nerve: connector",
    "lm": "Brain: language model",
    "decoder": "Brain: its decoder",
    "rest": "Everything else",
}


def render(card: dict[str, Any], view: bytes) -> str:
    """Fill ``card.html.j2`` with a card and its picture (PNG)."""
    return (
        open_templates(TEMPLATES)
        .get_template("card.html.j2")
        .render(
            card=card,
            names=NAMES,
            addresses=folded(card["addresses"]),
            view=base64.b64encode(view).decode(),
            style=(TEMPLATES / "style.css").read_text(encoding="utf-8"),
        )
    )


def folded(addresses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give addresses with runs of like blocks as one line: first, last, and what they share."""
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


def main(argv: list[str]) -> None:
    """Write one page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("card", "view", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args(argv)
    write_text(args.output, render(read_json(args.card), args.view.read_bytes()))


if __name__ == "__main__":
    errors.run(main)
