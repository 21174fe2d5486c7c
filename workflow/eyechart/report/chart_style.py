"""Colours, fonts and small parts that all figures share; a figure is a Vega-Lite specification."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import vl_convert

from eyechart.report.places import order, room
from eyechart.tables.files import atomic, write_text

Rows = list[dict[str, Any]]
Spec = dict[str, Any]

VEGALITE = "6.4"  # of those that vl_convert brings along
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # its name only: nothing is fetched

# Okabe & Ito 2008: hues that people with any common colour blindness tell apart
BLUE, ORANGE, GREEN, VERMILION, PURPLE = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7"
SKY = "#56b4e9"
INK, GREY, BORDER, PALE = "#1b1f24", "#6b7280", "#9ca3af", "#e5e7eb"
ROOM_COLORS = {
    "vision": BLUE,
    "connector": ORANGE,
    "lm": GREEN,
    "decoder": SKY,
    "other": PURPLE,
}
LINE_COLORS = [BLUE, ORANGE, GREEN, PURPLE, VERMILION, INK]
# white is none at all, so that a pale cell is not mistaken for a weak finding
BLUES = ["#ffffff", "#c9dff0", "#7fb6dc", "#2f7fbd", "#0b4a8a", "#062f5c"]
CROWDED = 18  # more addresses than this: some labels give way, cells go without numbers
UNIT = {"domain": [0, 1]}

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


def spec(chart: Spec, rows: dict[str, Rows]) -> Spec:
    """Give a whole specification: the chart, the shared looks and its named data."""
    return {"$schema": SCHEMA, "config": CONFIG, "datasets": rows, **chart}


def draw(stem: Path, chart: Spec, scale: float) -> list[Path]:
    """Write a figure as ``<stem>.svg``, ``.png`` (``scale`` times its size) and ``.csv``.

    The CSV holds the chart's own data set ``points``, so it cannot differ from what is drawn.
    """
    paths = [stem.with_suffix(end) for end in (".svg", ".png", ".csv")]
    svg = vl_convert.vegalite_to_svg(chart, vl_version=VEGALITE)
    write_text(paths[0], svg)
    with atomic(paths[1]) as partial:
        partial.write_bytes(vl_convert.svg_to_png(svg, scale=scale))
    points = pl.DataFrame(chart["datasets"]["points"], infer_schema_length=None)
    write_text(paths[2], points.write_csv())
    return paths


def rounded(rows: Iterable[dict[str, Any]]) -> Rows:
    """Give rows with accuracies and the like to 4 decimals; p and q keep 3 significant digits."""
    return [{k: _round(k, v) for k, v in row.items()} for row in rows]


def view(data: str, keep: str | None = None, **more: Any) -> Spec:
    """Give the start of a unit: its data by name and, where given, a filter."""
    transform = [{"filter": keep}] if keep else []
    return {"data": {"name": data}, "transform": transform, **more}


def layer(base: Spec, mark: Spec, encoding: Spec, *transform: Spec) -> Spec:
    """Give one layer over a view, with further transforms after its own."""
    transforms = [*base["transform"], *transform]
    return {**base, "transform": transforms, "mark": mark, "encoding": encoding}


def number(name: str, **more: Any) -> Spec:
    """Give a channel that shows a quantity."""
    return {"field": name, "type": "quantitative", **more}


def label(name: str, **more: Any) -> Spec:
    """Give a channel that shows a name."""
    return {"field": name, "type": "nominal", **more}


def tips(names: Sequence[str], numbers: Sequence[str]) -> list[Spec]:
    """Give a tooltip's lines: names as they are, numbers with three decimals, then q and n."""
    last = [number("q", format=".2g"), number("n_test", title="n (test)")]
    lines = [number(n, format=".3f", title=TITLES.get(n, n)) for n in numbers]
    return [*(label(n) for n in names), *lines, *last]


TITLES = {
    "low": "95 % from",
    "high": "95 % to",
    "control": "control by type",
    "permutation": "control permuted",
}


def place_axis(addresses: Sequence[str], angle: int) -> Spec:
    """Give the x channel of addresses in the order of the model."""
    crowded = len(addresses) > CROWDED
    axis = {"labelAngle": angle, "labelOverlap": crowded, "labelLimit": 120, "grid": False}
    scale = {"domain": list(addresses), "paddingInner": 0, "paddingOuter": 0, "type": "band"}
    return {"field": "address", "type": "ordinal", "title": None, "axis": axis, "scale": scale}


def rooms_of(addresses: Iterable[str]) -> Rows:
    """Give the first and last address of each room along the axis."""
    found: dict[str, dict[str, Any]] = {}
    for address in sorted(addresses, key=order):
        name = room(address)
        found.setdefault(name, {"room": name, "first": address, "inner": bool(found)})
        found[name]["last"] = address
    return list(found.values())


def quoted(text: str) -> str:
    """Write a text as a string of Vega's expression language."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _round(name: str, value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.3g}") if name in ("p", "q") else round(value, 4)
