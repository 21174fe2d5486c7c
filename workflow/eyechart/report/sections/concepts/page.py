"""Coloured words: sentences, tables and charts of every model."""

from collections.abc import Sequence
from typing import Any

from eyechart.report.files import Inputs
from eyechart.report.format import p_value, share
from eyechart.report.sections.concepts.charts import separation, shares_by_address, shares_by_n
from eyechart.report.sections.concepts.load import Concepts, read_concepts, summary
from eyechart.report.sections.concepts.maps import confusions, scatter
from eyechart.tables.concepts import ANSWER, CONGRUENT, SHARES

Line = dict[str, Any]


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template data, or None if nothing was compared."""
    return section(
        read_concepts(inputs.paths("cues", "separation", "projection")), settings["alpha"]
    )


def section(found: Sequence[Concepts], alpha: float) -> dict[str, Any] | None:
    """Return the template data, or None if nothing was compared.

    ``alpha``: a cue leads if q is below it and its interval is above chance.
    """
    if not found:
        return None
    return {"blocks": [block(one, alpha) for one in found], "cues": [*SHARES, CONGRUENT]}


def block(concepts: Concepts, alpha: float) -> dict[str, Any]:
    """Return the template data of one model on one dataset."""
    lines = [{**line, "verdict": verdict(line, alpha)} for line in summary(concepts)]
    shown = [*concepts.one_per_component(), (ANSWER, "")]
    summarised = [line for line in lines if (line["address"], line["span"]) in shown]
    return {
        "id": f"concepts-{concepts.dataset}-{concepts.model}",
        "dataset": concepts.dataset,
        "model": concepts.model,
        "colors": concepts.names,
        "shown": concepts.shown,
        "lines": lines,
        "sentences": [sentence(line) for line in summarised],
        "charts": {
            "by_address": shares_by_address(concepts),
            "by_components": shares_by_n(concepts),
            "separation": separation(concepts),
            "scatter": scatter(concepts),
            "confusion": confusions(concepts),
        },
    }


def verdict(line: Line, alpha: float) -> str:
    """Return the leading cue, or nothing if no lead was shown."""
    lead = line["lead"]
    if lead is None or lead["q"] >= alpha or lead["ci_low"] <= lead["chance"]:
        return ""
    return str(lead["cue"])


def sentence(line: Line) -> str:
    """Return a sentence about a line, as supported by its numbers."""
    responses = line["address"] == ANSWER
    where = "The model's responses" if responses else f"Vectors at {line['address']}/{line['span']}"
    lead = line["lead"]
    if lead is None:
        return f"{where}: there are no words in three colors."
    numbers = (
        f"{share(lead['share'])} (95%: {share(lead['ci_low'])}–{share(lead['ci_high'])}; chance "
        f"{share(lead['chance'])}; n = {lead['n']:,} in {lead['groups']:,} groups)"
    )
    after = (
        f"{share(lead['difference'], sign=True)} over the {lead['against']}, q {p_value(lead['q'])}"
    )
    if line["verdict"]:
        return f"{where} follow the {lead['cue']}: {numbers}, {after}."
    return (
        f"{where} follow no cue significantly; the most frequent is the {lead['cue']}: {numbers}, "
        f"{after}."
    )
