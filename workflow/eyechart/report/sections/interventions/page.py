"""Interventions: three charts per model, each with its table."""

from collections.abc import Sequence
from typing import Any

from eyechart.core.files import read_json
from eyechart.report.chart_style import Spec, svg_address
from eyechart.report.files import Inputs
from eyechart.report.format import p_value, share
from eyechart.report.sections.interventions.charts import erasures, knockouts, patches
from eyechart.report.sections.interventions.load import (
    CONTROLS,
    TOKENS,
    Intervened,
    Row,
    read_intervened,
)

TESTED = ["difference", "95% of difference", "q", "n", "groups"]
SHARED = ["control", "share", "95%", "control's share", *TESTED]


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template data, or None if there are no interventions."""
    models = read_intervened(inputs.paths("effects"))
    if not models:
        return None
    cards = [read_json(path) for path in inputs.paths("cards")]
    able = [card["model"] for card in cards if card["kind"] == "vlm"]
    made = {one.model for one in models}
    return {
        "blocks": [block(one, settings["alpha"]) for one in models],
        "without": [model for model in able if model not in made],
    }


def block(one: Intervened, alpha: float) -> Row:
    """Return the template data of one model on one dataset."""
    charts = []
    if one.patches():
        table = _table(
            one.patches(), ["tokens", "at"], lambda r: [TOKENS[r["target"]], r["address"]]
        )
        charts.append(_chart("Does another image's state move the answer?", patches(one), table))
    if one.knockouts():
        table = _table(one.knockouts(), ["attention cut to", "blocks"], _cut)
        charts.append(_chart("Does the text need to attend to it?", knockouts(one), table))
    if one.erasures():
        table = _table(one.erasures(), ["erased", "at"], lambda r: [r["concept"], r["address"]])
        title = "Which answers need which concept?"
        charts.append(_chart(title, erasures(one, alpha), table))
    return {
        "id": f"interventions-{one.dataset}-{one.model}",
        "model": one.model,
        "dataset": one.dataset,
        "missing": one.missing(),
        "charts": charts,
    }


def _cut(row: Row) -> list[str]:
    first, last = row["address"], row["until"]
    return [TOKENS[row["target"]], first if first == last else f"{first} to {last}"]


def _table(rows: Sequence[Row], heads: list[str], names: Any) -> Row:
    """Return the heads and the distinct lines of a table of effects."""
    lines = [
        [
            *(row["task"], *names(row), CONTROLS[row["control"]], share(row["value"])),
            f"{share(row['ci_low'])}–{share(row['ci_high'])}",
            share(row["control_value"]),
            share(row["difference"], sign=True),
            f"{share(row['difference_low'], sign=True)} to "
            f"{share(row['difference_high'], sign=True)}" + (" ≈ 0" if row["equal"] else ""),
            p_value(row["q"]).removeprefix("= "),
            f"{row['n']:,}",
            f"{row['groups']:,}",
        ]
        for row in rows
    ]
    return {
        "heads": ["skill", *heads, *SHARED],
        "lines": [*map(list, dict.fromkeys(map(tuple, lines)))],
    }


def _chart(title: str, chart: Spec, table: Row) -> Row:
    return {"title": title, "source": svg_address(chart), "table": table}
