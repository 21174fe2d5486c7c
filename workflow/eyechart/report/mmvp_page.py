"""What the page of one model on MMVP is given; its charts are pictures, so it needs no script."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import vl_convert

from eyechart.report.answer_gallery import worst_pairs
from eyechart.report.behaviour import SHOWN, SIGHTED, Behaviour
from eyechart.report.behaviour_page import accuracy_table, answer_table
from eyechart.report.chart_behaviour import (
    accuracy,
    accuracy_rows,
    answer_rows,
    answers,
    picked,
    task_name,
)
from eyechart.report.chart_radar import MOST, radar
from eyechart.report.chart_slope import slope
from eyechart.report.chart_style import VEGALITE, Spec, spec
from eyechart.report.format import p_value, share
from eyechart.report.patterns import UNKNOWN, Comparison, Series, pattern_order
from eyechart.report.summary import Bar
from eyechart.report.templates import open_templates
from eyechart.tables.scores import ALL

WIDTH = 250  # px of a plot: with its labels it fits a phone


def dataset_block(
    behaviour: Behaviour, items: pl.DataFrame, images: pl.DataFrame, settings: dict[str, Any]
) -> dict[str, Any]:
    """Give what the page shows of one dataset of pairs."""
    rows = sorted(accuracy_rows([behaviour]), key=lambda row: _place(row["task"]))
    tasks = {row["task"] for row in rows}
    meta = [json.loads(text or "{}") for text in items["meta"]]
    return {
        "dataset": behaviour.dataset,
        "model": behaviour.model,
        "conditions": behaviour.conditions(),
        "impossible": [SHOWN[c] for c in behaviour.impossible],
        "blind": behaviour.blind(),
        "pair": behaviour.score("pair_accuracy", SIGHTED),
        "single": behaviour.score("accuracy", SIGHTED),
        "pairs": _in_order(accuracy_table(behaviour, "pair_accuracy")),
        "accuracy": _in_order(accuracy_table(behaviour, "accuracy")),
        "answers": _in_order(answer_table(behaviour)),
        "corrections": next((one["corrections"] for one in meta if "corrections" in one), None),
        "corrected": sum(bool(one.get("corrected")) for one in meta),
        "unknown": UNKNOWN in tasks,
        "chart": picture(spec(accuracy(rows, "pair_accuracy", WIDTH), {"points": rows})),
        "distributions": _distributions(behaviour),
        "worst": worst_pairs(behaviour, items, images, settings),
    }


def compared(
    model: str, encoder: str, comparisons: Sequence[Comparison]
) -> tuple[list[Series], list[dict[str, Any]]]:
    """Give the series that a model is shown with, itself first, and a chart per comparison.

    The comparison with ``encoder`` (the model's own eye, where it has one) comes first.
    """
    mine = [c for c in comparisons if model in (c.encoder.model, c.vlm.model) and c.shared()]
    mine.sort(key=lambda c: c.encoder.model != encoder)
    shown = {one.name(): one for c in mine for one in (c.vlm, c.encoder)}
    ordered = sorted(shown.values(), key=lambda one: one.model != model)
    return ordered, [{"comparison": c, "slope": picture(slope(c))} for c in mine]


def render(templates: Path, bar: Bar, **context: Any) -> str:
    """Fill ``mmvp.html.j2``; every text from data is escaped."""
    environment = open_templates(templates)
    environment.filters |= {"share": share, "p": p_value}
    return environment.get_template("mmvp.html.j2").render(
        **context,
        bar=bar,
        shown=SHOWN,
        most=MOST,
        style=(templates / "style.css").read_text(encoding="utf-8"),
    )


def radar_picture(series: Sequence[Series]) -> str | None:
    """Give the radar chart of series that have patterns; None where too few make no polygon."""
    known = [one for one in series if len(one.rows) > 2]
    return picture(radar(known)) if known else None


def picture(chart: Spec) -> str:
    """Draw a chart and give it as a data address: an SVG that cannot run anything."""
    svg = vl_convert.vegalite_to_svg(chart, vl_version=VEGALITE)
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _in_order(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(lines, key=lambda line: _place(line["task"]))


def _place(task: str) -> tuple[bool, int, str]:
    return (task not in (ALL, task_name(ALL)), *pattern_order(task))


def _distributions(behaviour: Behaviour) -> list[dict[str, str]]:
    """Give a chart over all tasks of what was answered, and one of the places of the answers."""
    rows = [row for row in answer_rows(behaviour) if row["task"] == ALL]
    titles = {"place": "Places of the answers among the options", "choice": "Answers"}
    found = []
    for kind, title in titles.items():
        here = [row for row in rows if row["kind"] == kind]
        if here:
            chart = spec(answers(here, WIDTH - 80, picked(ALL, kind)), {"points": here})
            name = f"{title}, {task_name(ALL)}, n = {here[0]['n']:,}"
            found.append({"title": name, "source": picture(chart)})
    return found
