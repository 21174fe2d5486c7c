"""Colours, fonts and parts shared by all charts. A figure is a Vega-Lite specification."""

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import altair as alt
import polars as pl
import vl_convert
from altair.utils.schemapi import disable_debug_mode

from eyechart.core import memory
from eyechart.core.address import COMPONENTS, CONNECTOR, OTHER, VISION, component, sort_key
from eyechart.core.files import atomic, cell, write_text

Rows = list[dict[str, Any]]
Spec = dict[str, Any]
Chart: TypeAlias = (
    alt.Chart | alt.LayerChart | alt.ConcatChart | alt.HConcatChart | alt.VConcatChart
)

disable_debug_mode()  # Vega-Lite itself checks specifications; a second check takes seconds

VEGALITE = "6.4"  # one of those bundled with vl_convert
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # a name only: nothing is fetched

# Okabe & Ito 2008: hues that are distinguishable with all common forms of colour blindness
BLUE, ORANGE, GREEN, VERMILION, PURPLE = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7"
INK, GREY, BORDER, PALE = "#1b1f24", "#6b7280", "#9ca3af", "#e5e7eb"
SKY = "#56b4e9"
COMPONENT_COLORS = dict(zip((*COMPONENTS, OTHER), (BLUE, ORANGE, GREEN, SKY, PURPLE), strict=True))
LINE_COLORS = [BLUE, ORANGE, GREEN, PURPLE, VERMILION, INK]
# white means no finding, so a pale cell is not mistaken for a weak one
BLUES = ["#ffffff", "#c9dff0", "#7fb6dc", "#2f7fbd", "#0b4a8a", "#062f5c"]
CROWDED = 18  # with more addresses, some labels and the numbers in cells are omitted
UNIT = alt.Scale(domain=[0, 1])
PERCENT = "format(100 * datum.share, '.0f')"
# Vision outputs after the last one that the connector reads
UNREAD = "unread"
BORDER_NAMES = {
    "vision": "vision encoder",
    UNREAD: "not read",
    "lm": "language model",
    "decoder": "decoder",
}

CONFIG = {
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",
    "background": "white",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 12,
        "gridColor": PALE,
        "domainColor": BORDER,
        "tickColor": BORDER,
    },
    "legend": {
        "labelColor": INK,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "labelLimit": 0,
    },
    "title": {"color": INK, "fontSize": 12, "fontWeight": "bold", "anchor": "start"},
}
TITLES = {
    "low": "95% from",
    "high": "95% to",
    "control": "control by type",
    "permutation": "control permuted",
}


def finish(chart: Chart, rows: Mapping[str, Rows], description: str) -> Spec:
    """Return the specification of a chart with its named data, the shared style and a description.

    The description is for screen readers.
    """
    spec = chart.to_dict(validate=False)
    spec |= {"$schema": SCHEMA, "config": CONFIG, "datasets": dict(rows)}
    return spec | {"description": description}


def empty(title: str, reason: str) -> Spec:
    """Return an empty figure that states the reason."""
    chart = base("points").mark_point().properties(width=320, height=10)
    chart = chart.properties(title={"text": title, "subtitle": reason})
    return finish(chart, {"points": []}, f"{title}: {reason}")


def draw(stem: Path, chart: Spec, scale: float) -> list[Path]:
    """Write a figure as ``<stem>.svg``, ``.png`` (``scale`` times its size) and ``.csv``.

    The CSV contains the chart's own dataset ``points``, so it cannot differ from the figure, except
    for an apostrophe before cells that a spreadsheet would evaluate.
    """
    paths = [stem.with_suffix(end) for end in (".svg", ".png", ".csv")]
    svg = _svg(chart)
    write_text(paths[0], svg)
    with atomic(paths[1]) as partial:
        partial.write_bytes(vl_convert.svg_to_png(svg, scale=scale))
    rows = [{k: cell(v) for k, v in row.items()} for row in chart["datasets"]["points"]]
    points = pl.DataFrame(rows, infer_schema_length=None)
    write_text(paths[2], points.write_csv())
    return paths


def svg_address(chart: Spec) -> str:
    """Return a chart as a data URL with an SVG, which cannot run scripts."""
    svg = _svg(chart)
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _svg(chart: Spec) -> str:
    memory.check_charts()
    return str(vl_convert.vegalite_to_svg(chart, vl_version=VEGALITE))


def rounded(rows: Iterable[dict[str, Any]]) -> Rows:
    """Return rows with shares rounded to 4 decimals, and p and q to 3 significant digits."""
    return [{k: _round(k, v) for k, v in row.items()} for row in rows]


def base(data: str, **equal: str) -> alt.Chart:
    """Return a chart of a named dataset, filtered to rows with the given field values."""
    chart = alt.Chart(alt.NamedData(data))
    return chart.transform_filter(equals(**equal)) if equal else chart


def equals(**fields: str) -> str:
    """Return the filter expression for rows with the given field values.

    >>> equals(task="color")
    "datum.task === 'color'"
    """
    return " && ".join(f"datum.{name} === {quoted(value)}" for name, value in fields.items())


def quoted(text: str) -> str:
    """Return a string as a literal of Vega's expression language."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def renamed(names: Mapping[str, str]) -> str:
    """Return the expression that replaces legend labels by other names, if given."""
    pairs = ", ".join(f"{quoted(k)}: {quoted(v)}" for k, v in names.items())
    return f"{{{pairs}}}[datum.label] || datum.label"


def scale_of(values: Mapping[str, Any]) -> alt.Scale:
    """Return the scale that maps each name to its colour, dash or shape."""
    return alt.Scale(domain=list(values), range=list(values.values()))


def tips(names: Sequence[str], numbers: Sequence[str]) -> list[alt.Tooltip]:
    """Return the lines of a tooltip: names, numbers with three decimals, then q and n."""
    shares = decimals({n: TITLES.get(n, n) for n in numbers})
    test = alt.Tooltip("q:Q", format=".2g")
    return [*(alt.Tooltip(n, type="nominal") for n in names), *shares, test,
            alt.Tooltip("n_test:Q", title="n (test)")]  # fmt: skip


def decimals(names: Iterable[str], form: str = ".3f") -> list[alt.Tooltip]:
    """Return the lines of a tooltip for numbers; the values of a mapping are their titles."""
    titles = {n: {"title": t} for n, t in names.items()} if isinstance(names, Mapping) else {}
    return [alt.Tooltip(n, type="quantitative", format=form, **titles.get(n, {})) for n in names]


def address_axis(addresses: Sequence[str], angle: int, field: str = "address", **more: Any) -> Any:
    """Return the x channel of addresses in model order."""
    crowded = len(addresses) > CROWDED
    axis = {"labelAngle": angle, "labelOverlap": crowded, "labelLimit": 120, "grid": False}
    scale = {"domain": list(addresses), "paddingInner": 0, "paddingOuter": 0, "type": "band"}
    return alt.X(field, type="ordinal", title=None, axis=axis, scale=scale, **more)


def spread(addresses: Sequence[str], most: int) -> list[str]:
    """Return evenly spread addresses from the first to the last.

    >>> spread(["lm.0", "lm.1", "lm.2", "lm.3", "lm.4"], 3)
    ['lm.0', 'lm.2', 'lm.4']
    """
    ordered = sorted(addresses, key=sort_key)
    if len(ordered) <= most:
        return ordered
    if most == 1:
        return ordered[-1:]
    return [ordered[round(n * (len(ordered) - 1) / (most - 1))] for n in range(most)]


def component_borders(addresses: Iterable[str], reads: Collection[str] = ()) -> Rows:
    """Return the first address, last address and name of each component along the axis.

    Vision outputs after the last one that the connector reads (``reads``) form a separate part.
    """
    found: dict[str, dict[str, Any]] = {}
    last = max(map(sort_key, reads), default=None)
    for address in sorted(addresses, key=sort_key):
        name = component(address)
        if name == VISION and last and sort_key(address) > last:
            name = UNREAD
        edge: dict[str, Any] = {
            "component": name,
            "name": BORDER_NAMES.get(name, ""),
            "first": address,
        }
        edge["question"] = name not in (VISION, UNREAD, CONNECTOR)  # the question is visible there
        found.setdefault(name, edge | {"inner": bool(found)})
        found[name]["last"] = address
    return list(found.values())


def border_rules(borders: alt.Chart, addresses: Sequence[str], angle: int) -> alt.LayerChart:
    """Return the lines between components, and shading over outputs not read by the connector."""
    start = address_axis(addresses, angle, "first", bandPosition=0)
    unread = borders.transform_filter(f"datum.component === {quoted(UNREAD)}")
    shade = unread.mark_rect(color=BORDER, opacity=0.3)
    return alt.layer(
        shade.encode(x=start, x2=alt.X2("last", bandPosition=1)),
        borders.transform_filter("datum.inner").mark_rule(color=BORDER).encode(x=start),
    )


def shares_matrix(cells: alt.Chart, shown: list[str], size: int | None) -> alt.LayerChart:
    """Return a matrix of row shares, printed in percent if a font size is given."""
    scale = {"range": BLUES[:-1], "domain": [0, 1], "interpolate": "lab"}
    color = alt.Color("share:Q", scale=scale, legend=None)
    tooltip = [*shown, alt.Tooltip("share:Q", format=".1%")]
    layers = [cells.mark_rect(stroke=PALE).encode(color=color, tooltip=tooltip)]
    if size:
        ink = alt.when("datum.share > 0.55").then(alt.value("white")).otherwise(alt.value(INK))
        some = cells.transform_filter("datum.share >= 0.005")  # the rest is not printed, even as 0
        text = some.transform_calculate(text=PERCENT).mark_text(fontSize=size)
        layers.append(text.encode(text="text:N", color=ink))
    return alt.layer(*layers)


def _round(name: str, value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.3g}") if name in ("p", "q") else round(value, 4)
