"""Tuning: which part has to learn, beside its controls, and what is forgotten."""

from typing import Any

from eyechart.report.files import Inputs
from eyechart.report.mapped_images import card
from eyechart.report.overlays import change, over_image
from eyechart.report.sections.tuning.charts import gains
from eyechart.report.sections.tuning.load import read_moved, read_tuning

# Accuracy of a DINOv2 VLM of 7B parameters, read off the figure (arXiv 2506.08008), by task: the
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
    """Return what the template shows, or None where nothing was tuned."""
    rows = read_tuning(inputs.paths("tuning"))
    if not rows:
        return None
    blocks = []
    for model in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == model]
        parts = [r for r in own if r["adaptable"]]
        said = [f"{r['task']} of {r['dataset']} at the part {r['part']}" for r in parts]
        chart = gains(own)
        blocks.append({"id": f"tuning-{model}", "model": model, "rows": own, "adaptable": said}
                      | {"chart": chart} | moved(inputs, model, settings))  # fmt: skip
    return {"blocks": blocks, "paper": PAPER}


def moved(inputs: Inputs, model: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return images under a model's change of attention, in one scale, and what is missing."""
    pictures, missing = read_moved(inputs, model)
    most = max((float(abs(v).max()) for p in pictures for _, v, _ in p.panels), default=0.0)
    scale = change(most or 1.0, "of all attention, per image token")
    sheets = [over_image(p, p.panels, settings["gallery_px"], scale) for p in pictures]
    cards = [card(p, sheet) for p, sheet in zip(pictures, sheets, strict=True)]
    return {"moved": cards, "missing": missing}
