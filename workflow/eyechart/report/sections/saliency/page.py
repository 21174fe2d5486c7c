"""Saliency: deletion curves with the table of tests, and sample images with their maps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eyechart.report.chart_style import svg_address
from eyechart.report.files import Inputs
from eyechart.report.format import p_value
from eyechart.report.labels import task_name
from eyechart.report.mapped_images import MappedImage, card
from eyechart.report.overlays import in_turn
from eyechart.report.sections.saliency.charts import deletion, sheet
from eyechart.report.sections.saliency.load import (
    Attributed,
    Row,
    falls,
    name_of,
    read_attributed,
    read_image_use,
    read_pictures,
)
from eyechart.tables.saliency import DROP

TESTED = ["difference", "95% of difference", "q", "n", "groups"]
HEADS = ["task", "map", "value", "95%", "control", *TESTED]
USES = {  # metrics of image use: the quantity measured, and its comparison
    "changed_blank": ("answers that change on a white image", "same image"),
    "changed_noise": ("answers that change on noise", "same image"),
    "changed_swapped": ("answers that change on another image", "same image"),
    "changed_no_image": ("answers that change without an image", "same image"),
    "cut_from": ("answers that move if text is cut from the image from here on", "unedited"),
    "image_mass": ("attention to image tokens", "share of the prompt"),
    "norm": ("norm of image tokens", "text tokens"),
    "nearest": ("cosine of image tokens and the nearest word", "random direction"),
    "singular": ("largest singular value of the connector's matrix", ""),
    "rank": ("effective rank of the connector's matrix", "singular values"),
}
METRICS = {
    "drop": "decrease of the score as tokens are deleted (nats; control: random orders)",
    "ratio": "share in the region, times uniform (control: another item's region)",
}


def context(inputs: Inputs, settings: dict[str, Any]) -> Row | None:
    """Return the template data, or None if no answer was attributed."""
    looked = {file.names["model"]: file.path for file in inputs.of("image_use")}
    curves = {file.pair: file.path for file in inputs.of("deletions")}
    blocks = []
    for one in read_attributed(inputs.paths("saliency")):
        pictures = in_turn(read_pictures(inputs, one), settings["maps"])
        chart = svg_address(deletion(one, falls(curves[one.model, one.dataset])))
        shown = block(one, chart, pictures, settings)
        if one.model in looked:
            shown |= use_of_image(looked.pop(one.model), one.model)
        blocks.append(shown)
    return {"blocks": blocks} if blocks else None


def block(one: Attributed, chart: str, pictures: Sequence[MappedImage], settings: Row) -> Row:
    """Return the template data of one model on one dataset."""
    return {
        "id": f"saliency-{one.dataset}-{one.model}",
        "model": one.model,
        "dataset": one.dataset,
        "note": one.note,
        "use": None,
        "chart": chart,
        "sentences": sentences(one.rows, settings["alpha"]),
        "tables": [
            {"title": text, "heads": HEADS, "lines": lines(one.rows, metric)}
            for metric, text in METRICS.items()
            if any(row["metric"] == metric for row in one.rows)
        ],
        "items": [card(one, sheet(one, settings["gallery_px"])) for one in pictures],
    }


def use_of_image(path: Path, model: str) -> Row:
    """Return the table on a model's use of the image, and the note on missing parts."""
    rows, missing = read_image_use(path, model)
    found = []
    for metric, (what, beside) in USES.items():
        for row in [row for row in rows if row["metric"] == metric]:
            low, high = row["ci_low"], row["ci_high"]
            control = row["control_value"]
            found.append(
                [
                    *(what, task_name(row["task"]) if row["task"] else "–", row["address"] or "–"),
                    f"{row['value']:.3g}",
                    "–" if low is None else f"{low:.3g} to {high:.3g}",
                    "–" if control is None else f"{control:.3g} ({beside})",
                    f"{row['n']:,}",
                ]
            )
    heads = ["quantity", "task", "address", "value", "95%", "compared with", "n"]
    return {"use": {"heads": heads, "lines": found, "missing": missing}}


def sentences(rows: Sequence[Row], alpha: float) -> list[str]:
    """Return sentences, per task, about the maps that identify the tokens an answer depends on."""
    found = []
    for task in dict.fromkeys(row["task"] for row in rows):
        own = [row for row in rows if row["task"] == task and row["metric"] == DROP]
        better = [name_of(row) for row in own if row["q"] < alpha and row["difference"] > 0]
        said = "; ".join(better) if better else "none"
        found.append(f"{task_name(task)}: better than random orders (q < {alpha:g}): {said}.")
    return found


def lines(rows: Sequence[Row], metric: str) -> list[list[str]]:
    """Return the lines of a metric's table."""
    return [
        [
            *(task_name(row["task"]), name_of(row), f"{row['value']:.2f}"),
            _between(row["ci_low"], row["ci_high"]),
            f"{row['control_value']:.2f}",
            f"{row['difference']:+.2f}",
            _between(row["difference_low"], row["difference_high"], "+"),
            *(p_value(row["q"]).removeprefix("= "), f"{row['n']:,}", f"{row['groups']:,}"),
        ]
        for row in rows
        if row["metric"] == metric
    ]


def _between(low: float | None, high: float | None, sign: str = "") -> str:
    return "–" if low is None or high is None else f"{low:{sign}.2f} to {high:{sign}.2f}"
