"""Write one model's page about image pairs; its charts are images, so it needs no script.

Reads: the model's tables of patterns and correlations; items and images of each paired dataset;
        scores and distributions of the model and its encoder; the model's answers
Writes: --output

    python -m eyechart.report.sections.patterns.sheet --model tiny_llava --encoder tiny_clip \
        --tables results/behavior/patterns/tiny_llava/patterns.parquet \
            results/behavior/patterns/tiny_llava/correlations.parquet \
            results/behavior/scores/tiny_llava/mmvp.parquet \
            results/behavior/scores/tiny_llava/mmvp.distributions.parquet \
            results/behavior/responses/tiny_llava/mmvp/sighted.parquet \
            results/datasets/mmvp/items.parquet results/datasets/mmvp/images.parquet \
        --settings "$SETTINGS" --output results/behavior/patterns/tiny_llava.html
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import polars as pl

from eyechart.core import errors
from eyechart.core.step import Json, command
from eyechart.report.chart_style import equals, finish, svg_address
from eyechart.report.files import Inputs
from eyechart.report.labels import CONDITION_NAMES, SIGHTED, Criteria, task_name
from eyechart.report.sections.behavior.charts import (
    accuracy_rows,
    one_accuracy,
    response_rows,
    responses,
)
from eyechart.report.sections.behavior.examples import worst_pairs
from eyechart.report.sections.behavior.findings import sentences
from eyechart.report.sections.behavior.load import Behavior, audit, read_behavior
from eyechart.report.sections.behavior.page import accuracy_table, read_tables, response_table
from eyechart.report.sections.patterns.load import (
    UNKNOWN,
    EncoderAgainstVLM,
    Series,
    pattern_table,
    read_comparisons,
    read_series,
)
from eyechart.report.sections.patterns.radar import MOST, radar
from eyechart.report.sections.patterns.slope import slope
from eyechart.report.templates import render_sheet, write_page
from eyechart.tables.scores import ALL, pattern_order

WIDTH = 250  # px of a plot: fits on a phone with its labels
HINT = "show fewer or smaller images (report: worst_pairs, gallery_px)"


def dataset_block(
    behavior: Behavior, items: pl.DataFrame, images: pl.DataFrame, settings: dict[str, Any]
) -> dict[str, Any]:
    """Return the template data for one paired dataset."""
    rows = sorted(accuracy_rows([behavior]), key=lambda row: _position(row["task"]))
    tasks = {row["task"] for row in rows}
    meta = [json.loads(text or "{}") for text in items["meta"]]
    return {
        "dataset": behavior.dataset,
        "model": behavior.model,
        "conditions": behavior.conditions(),
        "impossible": [CONDITION_NAMES[c] for c in behavior.impossible],
        "blind": behavior.blind(),
        "pair": behavior.score("pair_accuracy", SIGHTED),
        "single": behavior.score("accuracy", SIGHTED),
        "pairs": _in_order(accuracy_table(behavior, "pair_accuracy")),
        "accuracy": _in_order(accuracy_table(behavior, "accuracy")),
        "responses": _in_order(response_table(behavior)),
        "corrections": next((one["corrections"] for one in meta if "corrections" in one), None),
        "corrected": sum(bool(one.get("corrected")) for one in meta),
        "unknown": UNKNOWN in tasks,
        "chart": svg_address(one_accuracy(rows, "pair_accuracy", WIDTH, behavior.model)),
        "distributions": _distributions(behavior),
        "worst": worst_pairs(behavior, items, images, settings),
    }


def compared(
    model: str, encoder: str, comparisons: Sequence[EncoderAgainstVLM]
) -> tuple[list[Series], list[dict[str, Any]]]:
    """Return the model's series followed by those of its comparisons, and one chart per comparison.

    The comparison with ``encoder`` (the model's own, if any) comes first.
    """
    mine = [c for c in comparisons if model in (c.encoder.model, c.vlm.model) and c.shared()]
    mine.sort(key=lambda c: c.encoder.model != encoder)
    shown = {one.name(): one for c in mine for one in (c.vlm, c.encoder)}
    ordered = sorted(shown.values(), key=lambda one: one.model != model)
    return ordered, [{"comparison": c, "slope": svg_address(slope(c))} for c in mine]


def radar_image(series: Sequence[Series]) -> str | None:
    """Return the radar chart of series with patterns; None if there are too few patterns."""
    known = [one for one in series if len(one.rows) > 2]
    return svg_address(radar(known)) if known else None


def _in_order(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(lines, key=lambda line: _position(line["task"]))


def _position(task: str) -> tuple[bool, int, str]:
    return (task not in (ALL, task_name(ALL)), *pattern_order(task))


def _distributions(behavior: Behavior) -> list[dict[str, str]]:
    """Return one chart of the responses over all tasks, and one of their positions."""
    rows = [row for row in response_rows(behavior) if row["task"] == ALL]
    titles = {"place": "Positions of the responses among the options", "choice": "Responses"}
    found = []
    for kind, title in titles.items():
        here = [row for row in rows if row["kind"] == kind]
        if here:
            name = f"{title}, {task_name(ALL)}, n = {here[0]['n']:,}"
            chart = responses(here, WIDTH - 80, equals(task=ALL, kind=kind))
            source = svg_address(finish(chart, {"points": here}, name))
            found.append({"title": name, "source": source})
    return found


def build(inputs: Inputs, model: str, encoder: str, settings: dict[str, Any]) -> str:
    """Return the text of the page."""
    criteria = Criteria(settings["alpha"], 0.0)  # this page has no probes
    scores, distributions = inputs.paths("scores"), inputs.paths("distributions")
    found = read_behavior(scores, distributions, inputs.paths("answers"), [])
    mine = [b for b in found if b.model == model]
    tables = read_tables(inputs, {b.dataset for b in mine})
    audit(mine, {name: items for name, (items, _) in tables.items()})
    paired = [b for b in mine if b.tasks("pair_accuracy")]
    if not paired:
        given = ", ".join(map(str, scores)) or "no table"
        raise errors.UserError(
            f"--tables: {model} has no 'pair_accuracy' in {given}, expected scores of a dataset "
            "with paired items"
        )
    series = read_series(inputs.paths("own_patterns"))
    pairs = read_comparisons(inputs.paths("own_correlations"), series)
    shown, comparisons = compared(model, encoder, pairs)
    shown = [*(one for one in series if one.model == model and one not in shown), *shown]
    return render_sheet(
        "patterns",
        criteria=criteria,
        settings=settings,
        model=model,
        encoder=encoder,
        kind=next((one.kind for one in shown if one.model == model), ""),
        datasets=[dataset_block(b, *tables[b.dataset], settings) for b in paired],
        findings=[{"dataset": b.dataset, "sentences": sentences(b, criteria)} for b in paired],
        series=shown,
        most=MOST,
        patterns=pattern_table(shown),
        radar=radar_image(shown),
        comparisons=comparisons,
        inputs=inputs.describe(),
    )


@command
def main(
    *,
    model: str,
    encoder: Annotated[str, {"help": "the VLM's own encoder, or empty"}],
    tables: list[Path],
    settings: Json,
    output: Path,
) -> None:
    """Write the page; raise a UserError if it is too large."""
    text = build(Inputs(tables), model, encoder, settings)
    write_page(output, text, settings["megabytes"], HINT)


if __name__ == "__main__":
    main()
