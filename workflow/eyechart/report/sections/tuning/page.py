"""Tuning: which component has to learn, with controls, and what the model forgets."""

from typing import Any

import numpy as np
from PIL import Image

from eyechart.report.files import Inputs
from eyechart.report.mapped_images import MappedImage, card
from eyechart.report.overlays import GAP, Scale, change, over_image
from eyechart.report.sections.tuning.charts import gains
from eyechart.report.sections.tuning.load import read_moved, read_tuning
from eyechart.tables.tuning import adaptable_at

PAGE_PX = 1060  # width of a section in px
SHOWN = (
    0.99  # share of changes within the scale, so that a few large ones do not make the others pale
)

# Accuracy of a DINOv2 VLM with 7B parameters by task, read off the figure (arXiv 2506.08008): the
# encoder's readout, the VLM, and the VLM with its encoder, projector or language model tuned
PAPER = {
    "semantic correspondence": (0.535, 0.222, 0.324, 0.200, 0.353),
    "functional correspondence": (0.409, 0.153, 0.145, 0.199, 0.300),
    "low-level matching": (0.816, 0.165, 0.200, 0.142, 0.352),
    "art style": (0.673, 0.527, 0.527, 0.510, 0.587),
    "depth order": (0.884, 0.650, 0.627, 0.638, 0.726),
    "3D object awareness": (0.596, 0.312, 0.320, 0.316, 0.355),
}


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template data, or None if nothing was tuned."""
    rows = read_tuning(inputs.paths("tuning"))
    if not rows:
        return None
    blocks = []
    for model in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == model]
        chart, said = gains(own), adaptable_at(own)
        blocks.append({"id": f"tuning-{model}", "model": model, "rows": own, "adaptable": said}
                      | {"chart": chart} | moved(inputs, model, settings))  # fmt: skip
    return {"blocks": blocks, "paper": PAPER}


def moved(inputs: Inputs, model: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return images with a model's change of attention, on one scale, and notes on missing ones."""
    pictures, missing = read_moved(inputs, model)
    changes = [np.abs(values) for p in pictures for _, values, _ in p.panels]
    most = float(np.quantile(np.concatenate(changes), SHOWN)) if changes else 0.0
    sheets = [sheet(picture, change(most or 1.0), settings["gallery_px"]) for picture in pictures]
    cards = [card(picture, drawn) for picture, drawn in zip(pictures, sheets, strict=True)]
    return {"moved": cards, "missing": missing}


def sheet(picture: MappedImage, scale: Scale, most: int) -> Image.Image:
    """Draw an image next to its maps, each at most ``most`` pixels wide, to fit on the page."""
    count = 1 + len(picture.panels)
    width = min(most, (PAGE_PX + GAP) // count - GAP)
    return over_image(picture, picture.panels, width, scale)
