"""Charts of which cue wins, by number of components and by address, and of colour separation."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from eyechart.core.address import COMPONENT_NAMES, component, in_language_model, sort_key
from eyechart.report import chart_style as style
from eyechart.report.files import Inputs
from eyechart.report.sections.concepts.load import METHOD, AddressSpan, Concepts, read_concepts
from eyechart.report.sections.concepts.maps import confusions, scatter
from eyechart.tables.concepts import ANSWER, BACKGROUND, FONT, OTHER, SHARES, WORD

COLORS = {WORD: style.BLUE, FONT: style.VERMILION, BACKGROUND: style.GREEN, OTHER: style.GREY}
DASHES = {WORD: [1, 0], FONT: [7, 3], BACKGROUND: [2, 2], OTHER: [9, 3, 2, 3]}
SHAPES = {WORD: "circle", FONT: "square", BACKGROUND: "triangle-up", OTHER: "diamond"}
TITLE = "share of words in three colors"
KEY = "bands: 95% by typeface and position · dotted: chance of word, font and background"
SEPARATION_KEY = "bands: 95% by image · dashed: the same with permuted labels · dotted: chance"
TICKS = [0, 1, 2, 5, 10, 20, 50]
MARKED = "indexof([0, 1, 2, 3, 5, 10, 20, 50], datum.components) >= 0"
LEGEND = {"title": None, "orient": "top", "symbolSize": 90, "symbolOpacity": 1}
RAW = "datum.value === 0 ? 'raw' : datum.label"


def figures(inputs: Inputs, settings: dict[str, Any]) -> dict[str, style.Spec]:
    """Return the figures of one model on one dataset."""
    (concepts,) = read_concepts(inputs.paths("cues", "separation", "projection"))
    return {
        "cues_by_components": shares_by_n(concepts),
        "cues_by_address": shares_by_address(concepts),
        "separation": separation(concepts),
        "scatter": scatter(concepts),
        "confusion": confusions(concepts),
    }


def by_n_rows(concepts: Concepts, columns: list[AddressSpan]) -> style.Rows:
    """Return one row per column, number of components and cue, by centroids."""
    wanted = pl.col("cue").is_in(list(SHARES))
    rows = []
    for column in columns:
        own = concepts.rows("cues", column).filter(wanted, method=METHOD)
        rows += _named(own, column)
    return style.rounded(rows)


def shares_by_n(concepts: Concepts) -> style.Spec:
    """Draw the cues' shares against n, one panel per component; n = 0 means raw vectors."""
    columns = concepts.one_per_component()
    panels = []
    for column in columns:
        chart = style.base("points", column=str(column))
        layers = alt.layer(_chance(chart), *_cue_layers(chart, _counts(), by_n=True))
        panels.append(layers.properties(title=_titled(column), width=250, height=190))
    rows = by_n_rows(concepts, columns)
    return _figure(f"Which cue wins: {concepts.model}", KEY, panels, {"points": rows})


def shares_by_address(concepts: Concepts) -> style.Spec:
    """Draw the cues' shares along the model, one panel per span, with the response at the end."""
    rows = by_address_rows(concepts)
    borders, panels = [], []
    for span in dict.fromkeys(row["span"] for row in rows):
        addresses = sorted({r["address"] for r in rows if r["span"] == span}, key=_last)
        borders += [{**edge, "span": span} for edge in style.component_borders(addresses)]
        panels.append(_along(span, addresses))
    title = f"Which cue wins along {concepts.model}, with {concepts.shown} components"
    return _figure(title, KEY, panels, {"points": rows, "components": borders}, columns=2)


def by_address_rows(concepts: Concepts) -> style.Rows:
    """Return one row per column and cue with ``shown`` components; responses follow LM spans."""
    rows = []
    for column in concepts.columns():
        own = concepts.rows("cues", column).filter(method=METHOD)
        n = min(concepts.shown, int(own["components"].max()))  # type: ignore[arg-type]
        rows += _named(own.filter(pl.col("cue").is_in(list(SHARES)), components=n), column)
    responses = concepts.responses().filter(pl.col("cue").is_in(list(SHARES)))
    for span in dict.fromkeys(row["span"] for row in rows if in_language_model(row["address"])):
        rows += _named(responses, AddressSpan(ANSWER, span))
    return style.rounded(rows)


def separation(concepts: Concepts) -> style.Spec:
    """Draw how well images of concepts are separated by n, compared with permuted labels."""
    columns = concepts.one_per_component()
    title = f"Do colors separate? {concepts.model}"
    rows = separation_rows(concepts, columns)
    panels = [_apart(column) for column in columns]
    return _figure(title, SEPARATION_KEY, panels, {"points": rows})


def separation_rows(concepts: Concepts, columns: list[AddressSpan]) -> style.Rows:
    """Return the rows of :func:`separation`, one per column and n."""
    rows: style.Rows = []
    for column in columns:
        own = concepts.rows("separation", column).drop("model", "dataset", "threshold")
        rows += [{"column": str(column), **row} for row in own.to_dicts()]
    return style.rounded(rows)


def _named(rows: pl.DataFrame, column: AddressSpan) -> style.Rows:
    kept = ("components", "cue", "share", "ci_low", "ci_high", "chance", "n", "q")
    names = {"column": str(column), "address": column.address, "span": column.span}
    return [{**names, **row} for row in rows.select(kept).to_dicts()]


def _counts() -> alt.X:
    """Return the x channel of components; 0 means raw vectors."""
    axis = {"values": TICKS, "labelExpr": RAW, "grid": False}
    scale = {"type": "sqrt", "domain": [0, TICKS[-1]]}
    return alt.X("components:Q", title="principal components", scale=scale, axis=axis)


def _titled(column: AddressSpan) -> str:
    return f"{COMPONENT_NAMES[component(column.address)]}: {column}"


def _last(address: str) -> tuple[bool, Any]:
    return address == ANSWER, sort_key(address)


def _figure(
    title: str,
    subtitle: str,
    panels: Sequence[alt.LayerChart],
    rows: dict[str, style.Rows],
    columns: int = 3,
) -> style.Spec:
    chart = alt.concat(*panels, columns=columns, spacing=24)
    chart = chart.properties(title={"text": title, "subtitle": subtitle, "offset": 14})
    return style.finish(chart, rows, f"{title}; {subtitle}")


def _cue_layers(chart: alt.Chart, x: alt.X, by_n: bool) -> list[alt.Chart]:
    """Return bands, lines and points of all cues over any x."""
    axis = {"tickCount": 5, "format": ".1f"}
    color = alt.Color("cue:N", scale=style.scale_of(COLORS), legend=LEGEND)
    dash = alt.StrokeDash("cue:N", scale=style.scale_of(DASHES), legend=LEGEND)
    shape = alt.Shape("cue:N", scale=style.scale_of(SHAPES), legend=LEGEND)
    share = alt.Y("share:Q", scale=style.UNIT, title=TITLE, axis=axis)
    low = alt.Y("ci_low:Q", scale=style.UNIT, title=TITLE, axis=axis)
    numbers = style.decimals(("share", "ci_low", "ci_high", "chance"))
    # raw vectors and responses are not connected by lines
    joined = "datum.components > 0" if by_n else f"datum.address !== {style.quoted(ANSWER)}"
    line, single = chart.transform_filter(joined), chart.transform_filter(f"!({joined})")
    dots = chart.transform_filter(MARKED) if by_n else chart
    return [
        line.mark_area(opacity=0.14).encode(x=x, y=low, y2="ci_high", color=color),
        line.mark_line(strokeWidth=1.8).encode(x=x, y=share, color=color, strokeDash=dash),
        single.mark_rule().encode(x=x, y=low, y2="ci_high", color=color),
        dots.mark_point(filled=True, size=44, opacity=1).encode(
            x=x,
            y=share,
            color=color,
            shape=shape,
            tooltip=["column:N", "cue:N", "components:Q", *numbers, "n:Q"],
        ),
    ]


def _chance(chart: alt.Chart) -> alt.Chart:
    cues = chart.transform_filter(f"datum.cue !== {style.quoted(OTHER)}")
    y = alt.Y("min(chance):Q", scale=style.UNIT, title=TITLE)
    return cues.mark_rule(color=style.INK, strokeDash=[1, 3]).encode(y=y)


def _along(span: str, addresses: list[str]) -> alt.LayerChart:
    chart = style.base("points", span=span)
    x = style.address_axis(addresses, -45)
    return alt.layer(
        style.border_rules(style.base("components", span=span), addresses, -45),
        _chance(chart),
        *_cue_layers(chart, x, by_n=False),
    ).properties(title=f"span {span}", width=max(120, 34 * len(addresses)), height=190)


def _apart(column: AddressSpan) -> alt.LayerChart:
    chart = style.base("points", column=str(column))
    grown, marked = chart.transform_filter("datum.components > 0"), chart.transform_filter(MARKED)
    x = _counts()
    numbers = style.decimals(("accuracy", "ci_low", "ci_high", "control"))
    tooltip = ["components:Q", *numbers, "n:Q"]
    dots = marked.mark_point(filled=True, size=44, opacity=1).encode(x=x, tooltip=tooltip)

    def y(field: str) -> alt.Y:
        axis = {"tickCount": 5, "format": ".1f"}
        return alt.Y(field, scale=style.UNIT, title="leave-one-out accuracy", axis=axis)

    def band(low: str, high: str, color: str) -> alt.Chart:
        area = grown.mark_area(opacity=0.15, color=color)
        return area.encode(x=x, y=y(f"{low}:Q"), y2=high)

    return alt.layer(
        chart.mark_rule(color=style.INK, strokeDash=[1, 3]).encode(y=y("min(chance):Q")),
        band("control_low", "control_high", style.VERMILION),
        band("ci_low", "ci_high", style.BLUE),
        grown.mark_line(color=style.VERMILION, strokeDash=[6, 3]).encode(x=x, y=y("control:Q")),
        grown.mark_line(color=style.BLUE, strokeWidth=2).encode(x=x, y=y("accuracy:Q")),
        dots.encode(y=y("control:Q"), color=alt.value(style.VERMILION)),
        dots.encode(y=y("accuracy:Q"), color=alt.value(style.BLUE)),
    ).properties(title=_titled(column), width=250, height=160)
