"""What the template of concept similarity is given: sentences, tables and charts of every model."""

from collections.abc import Sequence
from typing import Any

from eyechart.report import chart_concepts, chart_concepts_maps
from eyechart.report.concepts import Concepts, summary
from eyechart.report.format import p_value, share
from eyechart.tables.concepts import ANSWER, CONGRUENT, SHARES

Line = dict[str, Any]


def section(found: Sequence[Concepts], alpha: float) -> dict[str, Any] | None:
    """Give all that the section shows, or None where nothing was compared.

    Parameters
    ----------
    found : sequence of Concepts
    alpha : float
        A cue leads where q is below it, and its interval lies above chance.
    """
    if not found:
        return None
    return {"blocks": [block(one, alpha) for one in found], "cues": [*SHARES, CONGRUENT]}


def block(concepts: Concepts, alpha: float) -> dict[str, Any]:
    """Give what is shown of one model on one dataset."""
    lines = [{**line, "verdict": verdict(line, alpha)} for line in summary(concepts)]
    rooms = [(place.address, place.span) for place in concepts.one_per_room()]
    told = [line for line in lines if (line["address"], line["span"]) in [*rooms, (ANSWER, "")]]
    return {
        "id": f"concepts-{concepts.dataset}-{concepts.model}",
        "dataset": concepts.dataset,
        "model": concepts.model,
        "colours": concepts.names,
        "shown": concepts.shown,
        "lines": lines,
        "said": [sentence(line) for line in told],
        "charts": {
            "by_address": chart_concepts.shares_by_address(concepts),
            "by_components": chart_concepts.shares_by_n(concepts),
            "separation": chart_concepts.separation(concepts),
            "scatter": chart_concepts_maps.scatter(concepts),
            "confusion": chart_concepts_maps.confusions(concepts),
        },
    }


def verdict(line: Line, alpha: float) -> str:
    """Say which cue leads, or nothing where that was not shown."""
    lead = line["lead"]
    if lead is None or lead["q"] >= alpha or lead["ci_low"] <= lead["chance"]:
        return ""
    return str(lead["cue"])


def sentence(line: Line) -> str:
    """Tell of a line in words that its numbers carry."""
    asked = line["address"] == ANSWER
    where = "The model's answers" if asked else f"Vectors at {line['address']}/{line['span']}"
    lead = line["lead"]
    if lead is None:
        return f"{where}: no words in three colours were asked."
    numbers = (
        f"{share(lead['share'])} (95 %: {share(lead['ci_low'])}–{share(lead['ci_high'])}; chance "
        f"{share(lead['chance'])}; n = {lead['n']:,} in {lead['groups']:,} groups)"
    )
    after = (
        f"{share(lead['difference'], sign=True)} over the {lead['against']}, q {p_value(lead['q'])}"
    )
    if line["verdict"]:
        return f"{where} follow the {lead['cue']}: {numbers}, {after}."
    return (
        f"{where} follow no cue that could be shown; the {lead['cue']} comes first: {numbers}, "
        f"{after}."
    )
