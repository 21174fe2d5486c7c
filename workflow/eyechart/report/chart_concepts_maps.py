"""Where colours and words lie in two components, and which colour words are taken for."""

import polars as pl

from eyechart.randomness import seed_for
from eyechart.report.chart_style import (
    BLUES,
    INK,
    PALE,
    Rows,
    Spec,
    label,
    layer,
    number,
    quoted,
    rounded,
    spec,
    view,
)
from eyechart.report.concepts import Concepts, Place, letters
from eyechart.tables.concepts import BACKGROUND, FONT, WORD

THREE = (WORD, FONT, BACKGROUND)
UNKNOWN = "#9ca3af"  # of a colour whose sRGB is not known
AXES = ("first", "second")
MOST = 500  # words that are drawn; means are over all


def scatter(concepts: Concepts) -> Spec:
    """Draw where colours and words lie in two components, a row per room, a panel per cue."""
    strips = [
        {"hconcat": [_cloud(concepts, place, cue) for cue in THREE], "spacing": 20}
        for place in concepts.one_per_room()
    ]
    codes = letters(concepts.names)
    key = " · ".join(f"{code} {name}" for name, code in codes.items())
    words: Spec = {
        "text": f"Words among colours: {concepts.model}",
        "subtitle": [
            "small rings: pictures of colours, large: their mean · small squares: words, large: "
            "the mean of words with one cue · short lines: that cue is followed",
            key,
        ],
    }
    chart = {"title": {**words, "offset": 12}, "vconcat": strips, "spacing": 26}
    return spec(chart, {"points": scatter_rows(concepts), "means": mean_rows(concepts)})


def scatter_rows(concepts: Concepts) -> Rows:
    """Give a row per picture and room: its place, its cues, its nearest colour.

    Of more than :data:`MOST` words so many are drawn, the same in every panel.
    """
    images = sorted(
        concepts.projection.filter(pl.col(WORD).is_not_null())["image_id"].unique(),
        key=lambda image: seed_for("scatter", image),
    )
    rows: Rows = []
    for place in concepts.one_per_room():
        own = concepts.column("projection", place)
        own = own.filter(pl.col("concept").is_not_null() | pl.col("image_id").is_in(images[:MOST]))
        shown = own.select("image_id", *THREE, "concept", *AXES, "nearest")
        rows += shown.with_columns(place=pl.lit(str(place))).to_dicts()
    return rounded(rows)


def mean_rows(concepts: Concepts) -> Rows:
    """Give a row per room, cue and colour: centroids of its pictures and of words with it."""
    codes = letters(concepts.names)
    rows: Rows = []
    for place in concepts.one_per_room():
        own = concepts.column("projection", place)
        rings = own.group_by(colour="concept").agg(pl.col(*AXES).mean())
        for cue in THREE:
            words = own.group_by(colour=cue).agg(pl.col(*AXES).mean().name.prefix("word_"))
            both = rings.join(words, on="colour").sort("colour")
            shared = {"place": str(place), "cue": cue}
            rows += [{**shared, **row, "code": codes[row["colour"]]} for row in both.to_dicts()]
    return rounded(rows)


def confusions(concepts: Concepts) -> Spec:
    """Draw which colour is nearest to words of each colour, a row per room, a matrix per cue."""
    rows = confusion_rows(concepts)
    strips = [
        {"hconcat": [_matrix(concepts, place, cue) for cue in THREE], "spacing": 22}
        for place in concepts.one_per_room()
    ]
    words: Spec = {
        "text": f"What words are taken for: {concepts.model}",
        "subtitle": f"% of each row, with {concepts.shown} components; only words in three colours",
        "offset": 12,
    }
    return spec({"title": words, "vconcat": strips, "spacing": 24}, {"points": rows})


def confusion_rows(concepts: Concepts) -> Rows:
    """Give a row per room, cue, its colour and the nearest colour: count and share."""
    rows: Rows = []
    distinct = (pl.col(WORD) != pl.col(FONT)) & (pl.col(FONT) != pl.col(BACKGROUND))
    for place in concepts.one_per_room():
        own = concepts.column("projection", place)
        own = own.filter(distinct, pl.col(WORD) != pl.col(BACKGROUND))
        for cue in THREE:
            counts = own.group_by(pl.col(cue).alias("colour"), "nearest").len("count")
            share = pl.col("count") / pl.col("count").sum().over("colour")
            told = counts.with_columns(share=share).sort("colour", "nearest").to_dicts()
            rows += [{"place": str(place), "cue": cue, **row} for row in told]
    return rounded(rows)


def _cloud(concepts: Concepts, place: Place, cue: str) -> Spec:
    here = f"datum.place === {quoted(str(place))}"
    base, middle = view("points", here), view("means", f"{here} && datum.cue === {quoted(cue)}")
    x, y = _axes(concepts, place)
    paint = _paint(concepts)
    seen = [label(name) for name in (*THREE, "nearest", "image_id")]
    words: Spec = {"x": x, "y": y, "fill": label(cue, scale=paint, legend=None), "tooltip": seen}
    own: Spec = {"x": x, "y": y, "fill": label("concept", scale=paint, legend=None)}
    own["tooltip"] = [label("concept"), label("image_id")]
    ends: Spec = {"x2": {"field": "word_first"}, "y2": {"field": "word_second"}}
    fill = label("colour", scale=paint, legend=None)
    ring: Spec = {"x": x, "y": y, "fill": fill, "tooltip": [label("colour")]}
    square = ring | {name: {**ring[name], "field": ends[f"{name}2"]["field"]} for name in "xy"}
    point = {"type": "point", "stroke": INK, "opacity": 1}
    return {
        "title": {"text": str(place), "subtitle": f"words by their {cue}"},
        "width": 330,
        "height": 270,
        "layer": [
            layer(base, {**point, "size": 30, "strokeWidth": 1}, own, _valid("concept")),
            layer(base, {**point, "size": 24, "shape": "square", "strokeWidth": 0.3},
                  words, _valid(cue)),
            layer(middle, {"type": "rule", "color": INK, "strokeWidth": 1.6},
                  {"x": x, "y": y, **ends}),
            layer(middle, {**point, "size": 260, "shape": "square", "strokeWidth": 1.6}, square),
            *_lettered(middle, square, 10),
            layer(middle, {**point, "size": 400, "strokeWidth": 2.5}, ring),
            *_lettered(middle, ring, 12),
        ],
    }  # fmt: skip


def _lettered(base: Spec, at: Spec, size: int) -> list[Spec]:
    """Give the letters of means, dark in a pale halo, which can be read on any colour."""
    text = {"type": "text", "fontSize": size, "fontWeight": "bold", "color": INK}
    halo = {"stroke": "white", "strokeWidth": 2.6, "strokeOpacity": 0.85}
    coded = {"x": at["x"], "y": at["y"], "text": label("code")}
    return [layer(base, {**text, **halo}, coded), layer(base, text, coded)]


def _valid(name: str) -> Spec:
    return {"filter": f"isValid(datum.{name})"}


def _axes(concepts: Concepts, place: Place) -> tuple[Spec, Spec]:
    """Give the x and y of two components, each with its share of the concepts' variance."""
    apart = concepts.column("separation", place).filter(pl.col("components") > 0)
    prompt = concepts.column("projection", place)["prompt"][0]
    shares = apart.filter(prompt=prompt).sort("components")["explained"].to_list()
    own = [b - a for a, b in zip([0, *shares], shares, strict=False)][:2]
    words = [f" ({share:.0%} of concepts' variance)" for share in own] + ["", ""]
    axis, scale = {"grid": False, "tickCount": 4}, {"zero": False}
    x, y = (
        number(name, title=f"{name} component{said}", axis=axis, scale=scale)
        for name, said in zip(AXES, words, strict=False)
    )
    return x, y


def _paint(concepts: Concepts) -> Spec:
    own = concepts.projection.filter(pl.col("concept").is_not_null())
    known = dict(own.select("concept", "rgb").unique("concept").iter_rows())
    return {"domain": concepts.names, "range": [_hex(known[name]) for name in concepts.names]}


def _matrix(concepts: Concepts, place: Place, cue: str) -> Spec:
    names = concepts.names
    base = view("points", f"datum.place === {quoted(str(place))} && datum.cue === {quoted(cue)}")
    x: Spec = {"field": "nearest", "type": "ordinal", "title": "nearest colour"}
    x |= {"scale": {"domain": names}, "axis": {"labelAngle": -45}}
    y: Spec = {"field": "colour", "type": "ordinal", "title": f"colour of the {cue}"}
    y |= {"scale": {"domain": names}}
    scale = {"range": BLUES[:-1], "domain": [0, 1], "interpolate": "lab"}
    shown = [
        label("colour", title=cue),
        label("nearest"),
        number("count"),
        number("share", format=".1%"),
    ]
    cells = {"x": x, "y": y, "color": number("share", scale=scale, legend=None), "tooltip": shown}
    text = {"calculate": "format(100 * datum.share, '.0f')", "as": "text"}
    ink = {"condition": {"test": "datum.share > 0.55", "value": "white"}, "value": INK}
    printed = {"x": x, "y": y, "text": {"field": "text"}, "color": ink}
    few = len(names) <= 10  # more: cells are too narrow for numbers
    size = 190 if few else 14 * len(names)
    layers = [layer(base, {"type": "rect", "stroke": PALE}, cells)]
    some = {"filter": "datum.share >= 0.005"}
    layers += [layer(base, {"type": "text", "fontSize": 9}, printed, some, text)] if few else []
    title = {"text": str(place), "subtitle": f"by the {cue}"}
    return {"title": title, "width": size, "height": size, "layer": layers}


def _hex(rgb: list[int] | None) -> str:
    return "#" + bytes(rgb).hex() if rgb else UNKNOWN
