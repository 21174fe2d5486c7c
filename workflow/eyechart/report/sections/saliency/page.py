"""Saliency: deletion curves with the table of tests, and a few images under their maps."""

from collections.abc import Sequence
from typing import Any

from eyechart.report.chart_style import svg_address
from eyechart.report.files import Inputs
from eyechart.report.format import p_value
from eyechart.report.images import png_address
from eyechart.report.labels import task_name
from eyechart.report.overlays import in_turn
from eyechart.report.sections.saliency.charts import deletion, sheet
from eyechart.report.sections.saliency.load import (
    Attributed,
    MappedImage,
    Row,
    falls,
    name_of,
    read_attributed,
    read_pictures,
)
from eyechart.tables.saliency import DROP

HEADS = ["task", "map", "value", "95 %", "control", "difference", "95 % of it", "q", "n", "groups"]
METRICS = {
    "drop": "fall of the score while tokens are deleted (nats; control: random orders)",
    "ratio": "share in the region, times uniform (control: another item's region)",
}


def context(inputs: Inputs, settings: dict[str, Any]) -> Row | None:
    """Return what the template shows, or None where no answer was attributed."""
    curves = {file.pair: file.path for file in inputs.of("deletions")}
    blocks = []
    for one in read_attributed(inputs.paths("saliency")):
        pictures = in_turn(read_pictures(inputs, one), settings["maps"])
        chart = svg_address(deletion(one, falls(curves[one.model, one.dataset])))
        blocks.append(block(one, chart, pictures, settings))
    return {"blocks": blocks} if blocks else None


def block(one: Attributed, chart: str, pictures: Sequence[MappedImage], settings: Row) -> Row:
    """Return what is shown of one model on one dataset."""
    return {
        "id": f"saliency-{one.dataset}-{one.model}",
        "model": one.model,
        "dataset": one.dataset,
        "note": one.note,
        "chart": chart,
        "sentences": sentences(one.rows, settings["alpha"]),
        "tables": [
            {"title": text, "heads": HEADS, "lines": lines(one.rows, metric)}
            for metric, text in METRICS.items()
            if any(row["metric"] == metric for row in one.rows)
        ],
        "items": [card(picture, settings["gallery_px"]) for picture in pictures],
    }


def sentences(rows: Sequence[Row], alpha: float) -> list[str]:
    """Return, per task, which maps name what the answer depends on."""
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
            f"{row['ci_low']:.2f} to {row['ci_high']:.2f}",
            f"{row['control_value']:.2f}",
            f"{row['difference']:+.2f}",
            f"{row['difference_low']:+.2f} to {row['difference_high']:+.2f}",
            *(p_value(row["q"]).removeprefix("= "), f"{row['n']:,}", f"{row['groups']:,}"),
        ]
        for row in rows
        if row["metric"] == metric
    ]


def card(picture: MappedImage, pixels: int) -> Row:
    """Return one item: its image under each map, and its question."""
    image = sheet(picture, pixels)
    named = ("item_id", "task", "prompt", "choices", "answer")
    size = {"width": image.width, "height": image.height}
    return {**{name: picture.item[name] for name in named}, **size, "source": png_address(image)}
