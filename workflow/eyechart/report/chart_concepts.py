"""Which cue wins, by number of components and by address; and whether colours separate."""

from typing import Any

import polars as pl

from eyechart.core.address import in_language_model
from eyechart.report.chart_style import (
    BLUE,
    BORDER,
    GREEN,
    GREY,
    INK,
    UNIT,
    VERMILION,
    Rows,
    Spec,
    label,
    layer,
    number,
    place_axis,
    quoted,
    rooms_of,
    rounded,
    spec,
    view,
)
from eyechart.report.concepts import METHOD, Concepts, Place
from eyechart.report.places import ROOM_NAMES, order, room
from eyechart.tables.concepts import ANSWER, BACKGROUND, FONT, OTHER, SHARES, WORD

LOOKS = {  # colour, dash and shape of each cue
    WORD: (BLUE, [1, 0], "circle"),
    FONT: (VERMILION, [7, 3], "square"),
    BACKGROUND: (GREEN, [2, 2], "triangle-up"),
    OTHER: (GREY, [9, 3, 2, 3], "diamond"),
}
TITLE = "share of words in three colours"
KEY = "bands: 95 % by typeface and place · dotted: chance of word, font and background"
TICKS = [0, 1, 2, 5, 10, 20, 50]
MARKED = "indexof([0, 1, 2, 3, 5, 10, 20, 50], datum.components) >= 0"
COUNT = {"field": "components", "type": "quantitative", "title": "principal components"}


def by_n_rows(concepts: Concepts, places: list[Place]) -> Rows:
    """Give a row per column, n and cue, by centroids."""
    wanted = pl.col("cue").is_in(list(SHARES))
    rows = []
    for place in places:
        own = concepts.column("cues", place).filter(wanted, method=METHOD)
        rows += _named(own, place)
    return rounded(rows)


def shares_by_n(concepts: Concepts) -> Spec:
    """Draw the cues' shares against n, a panel per room."""
    places = concepts.one_per_room()
    rows = by_n_rows(concepts, places)
    panels = [one_by_n(f"datum.place === {quoted(str(p))}", 250, _titled(p)) for p in places]
    return _figure(f"Which cue wins: {concepts.model}", KEY, panels, rows)


def one_by_n(keep: str, width: int | str, title: Any) -> Spec:
    """Draw one panel of shares against n; n = 0 are the raw vectors."""
    base = view("points", keep)
    x = _counts()
    lines = _cue_layers(base, {"x": x}, "line")
    return {"title": title, "width": width, "height": 190, "layer": [_chance(base), *lines]}


def shares_by_address(concepts: Concepts) -> Spec:
    """Draw the cues' shares along the model, a panel per span; the answer stands at the end."""
    rows = by_address_rows(concepts)
    borders, panels = [], []
    for span in dict.fromkeys(row["span"] for row in rows):
        addresses = sorted({r["address"] for r in rows if r["span"] == span}, key=_last)
        borders += [{**edge, "span": span} for edge in rooms_of(addresses)]
        panels.append(_along(span, addresses))
    n = concepts.shown
    title = f"Which cue wins along {concepts.model}, with {n} components"
    return _figure(title, KEY, panels, rows, {"rooms": borders}, columns=2)


def by_address_rows(concepts: Concepts) -> Rows:
    """Give a row per column and cue with ``shown`` components; answers stand behind LM spans."""
    rows = []
    for place in concepts.places():
        own = concepts.column("cues", place).filter(method=METHOD)
        n = min(concepts.shown, int(own["components"].max()))  # type: ignore[arg-type]
        rows += _named(own.filter(pl.col("cue").is_in(list(SHARES)), components=n), place)
    said = concepts.answers().filter(pl.col("cue").is_in(list(SHARES)))
    for span in dict.fromkeys(row["span"] for row in rows if in_language_model(row["address"])):
        rows += _named(said, Place(ANSWER, span))
    return rounded(rows)


def separation(concepts: Concepts) -> Spec:
    """Draw how well concept pictures are told apart by n, with permuted labels, per room."""
    places = concepts.one_per_room()
    panels = [_apart(place) for place in places]
    words = "bands: 95 % by picture · dashed: the same with permuted labels · dotted: chance"
    title = f"Do colours separate? {concepts.model}"
    return _figure(title, words, panels, separation_rows(concepts, places))


def separation_rows(concepts: Concepts, places: list[Place]) -> Rows:
    """Give a row per column and n of what :func:`separation` shows."""
    rows: Rows = []
    for place in places:
        own = concepts.column("separation", place).drop("model", "dataset", "threshold")
        rows += [{"place": str(place), **row} for row in own.to_dicts()]
    return rounded(rows)


def _named(rows: pl.DataFrame, place: Place) -> Rows:
    kept = ("components", "cue", "share", "ci_low", "ci_high", "chance", "n", "q")
    said = {"place": str(place), "address": place.address, "span": place.span}
    return [{**said, **row} for row in rows.select(kept).to_dicts()]


def _counts() -> Spec:
    """Give the x channel of components; 0 stands for the raw vectors."""
    axis = {"values": TICKS, "labelExpr": "datum.value === 0 ? 'raw' : datum.label", "grid": False}
    return {**COUNT, "scale": {"type": "sqrt", "domain": [0, TICKS[-1]]}, "axis": axis}


def _titled(place: Place) -> str:
    return f"{ROOM_NAMES[room(place.address)]}: {place}"


def _last(address: str) -> tuple[bool, Any]:
    return address == ANSWER, order(address)


def _figure(
    title: str,
    subtitle: str,
    panels: list[Spec],
    rows: Rows,
    more: dict[str, Rows] | None = None,
    columns: int = 3,
) -> Spec:
    words = {"text": title, "subtitle": subtitle, "offset": 14}
    chart = {"title": words, "columns": columns, "spacing": 24, "concat": panels}
    return spec(chart, {"points": rows, **(more or {})})


def _cue_layers(base: Spec, x: Spec, mark: str) -> list[Spec]:
    """Give bands, lines and points of all cues over any x."""
    domain = list(LOOKS)
    legend = {"title": None, "orient": "top", "symbolSize": 90, "symbolOpacity": 1}
    color = label("cue", scale=_scale(domain, 0), legend=legend)
    dash = label("cue", scale=_scale(domain, 1), legend=legend)
    shape = label("cue", scale=_scale(domain, 2), legend=legend)
    y = number("share", scale=UNIT, title=TITLE, axis={"tickCount": 5, "format": ".1f"})
    band = {**x, "y": {**y, "field": "ci_low"}, "y2": {"field": "ci_high"}, "color": color}
    names = [label(n) for n in ("place", "cue")]
    tooltip = [
        *names,
        number("components"),
        *(number(n, format=".3f") for n in ("share", "ci_low")),
    ]
    tooltip += [number("ci_high", format=".3f"), number("chance", format=".3f"), number("n")]
    point = {**x, "y": y, "color": color, "shape": shape, "tooltip": tooltip}
    along = {**x, "y": y, "color": color, "strokeDash": dash}
    dots = {"type": "point", "filled": True, "size": 44, "opacity": 1}
    kept = [{"filter": MARKED}] if mark == "line" else []
    joined = "datum.components > 0" if mark == "line" else f"datum.address !== {quoted(ANSWER)}"
    whole = {"filter": joined}  # raw vectors and answers are no neighbours on their line
    limits = {**band, "color": label("cue", scale=_scale(domain, 0), legend=legend)}
    return [
        layer(base, {"type": "area", "opacity": 0.14}, band, whole),
        layer(base, {"type": "line", "strokeWidth": 1.8}, along, whole),
        layer(base, {"type": "rule"}, limits, {"filter": f"!({joined})"}),
        layer(base, dots, point, *kept),
    ]


def _scale(domain: list[str], which: int) -> Spec:
    return {"domain": domain, "range": [LOOKS[cue][which] for cue in domain]}


def _chance(base: Spec) -> Spec:
    dotted = {"type": "rule", "color": INK, "strokeDash": [1, 3]}
    y = number("chance", aggregate="min", scale=UNIT, title=TITLE)
    return layer(base, dotted, {"y": y}, {"filter": f"datum.cue !== {quoted(OTHER)}"})


def _along(span: str, addresses: list[str]) -> Spec:
    base = view("points", f"datum.span === {quoted(span)}")
    borders = view("rooms", f"datum.span === {quoted(span)} && datum.inner")
    x = place_axis(addresses, -45)
    edge = layer(
        borders,
        {"type": "rule", "color": BORDER},
        {"x": {**x, "field": "first", "bandPosition": 0}},
    )
    lines = _cue_layers(base, {"x": x}, "point")
    width = max(120, 34 * len(addresses))
    title = f"span {span}"
    return {
        "title": title,
        "width": width,
        "height": 190,
        "layer": [edge, _chance(base), *lines],
    }


def _apart(place: Place) -> Spec:
    base = view("points", f"datum.place === {quoted(str(place))}")
    x = _counts()
    title = "leave-one-out accuracy"
    y = {"scale": UNIT, "title": title, "axis": {"tickCount": 5, "format": ".1f"}}

    def line(field: str, mark: Spec) -> Spec:
        return layer(base, {"type": "line", **mark}, {"x": x, "y": number(field, **y)}, grown)

    def band(low: str, high: str, color: str) -> Spec:
        where = {"x": x, "y": number(low, **y), "y2": {"field": high}}
        return layer(base, {"type": "area", "opacity": 0.15, "color": color}, where, grown)

    def dot(field: str, color: str) -> Spec:
        mark = {"type": "point", "filled": True, "size": 44, "opacity": 1, "color": color}
        told = [number(n, format=".3f") for n in ("accuracy", "ci_low", "ci_high", "control")]
        told = [number("components"), *told, number("n")]
        return layer(base, mark, {"x": x, "y": number(field, **y), "tooltip": told}, raw)

    grown, raw = {"filter": "datum.components > 0"}, {"filter": MARKED}

    dotted = {"type": "rule", "color": INK, "strokeDash": [1, 3]}
    return {
        "title": _titled(place),
        "width": 250,
        "height": 160,
        "layer": [
            layer(base, dotted, {"y": number("chance", aggregate="min", **y)}),
            band("control_low", "control_high", VERMILION),
            band("ci_low", "ci_high", BLUE),
            line("control", {"color": VERMILION, "strokeDash": [6, 3]}),
            line("accuracy", {"color": BLUE, "strokeWidth": 2}),
            dot("control", VERMILION),
            dot("accuracy", BLUE),
        ],
    }
