"""Charts of colours and words in two components, and of the nearest colour of words."""

from typing import Any

import altair as alt
import polars as pl

from eyechart.core.randomness import seed_for
from eyechart.report.chart_style import INK, Rows, Spec, base, finish, rounded, shares_matrix
from eyechart.report.sections.concepts.load import AddressSpan, Concepts, letters
from eyechart.tables.concepts import BACKGROUND, FONT, WORD

THREE = (WORD, FONT, BACKGROUND)
UNKNOWN = "#9ca3af"  # colour for unknown sRGB values
AXES = ("first", "second")
MOST = 500  # maximum number of words drawn; means are over all words
KEY = (
    "small rings: images of colors, large: their mean · small squares: words, large: "
    "the mean of words with one cue · short lines: that cue is followed"
)


def scatter(concepts: Concepts) -> Spec:
    """Draw colours and words in two components, one row per model component, one panel per cue."""
    strips = [
        alt.hconcat(*(_cloud(concepts, column, cue) for cue in THREE), spacing=20)
        for column in concepts.one_per_component()
    ]
    codes = letters(concepts.names)
    legend = " · ".join(f"{code} {name}" for name, code in codes.items())
    title = {"text": f"Words among colors: {concepts.model}", "subtitle": [KEY, legend]}
    chart = alt.vconcat(*strips, spacing=26).properties(title=title | {"offset": 12})
    data = {"points": scatter_rows(concepts), "means": mean_rows(concepts)}
    return finish(chart, data, f"{title['text']}; {KEY}")


def scatter_rows(concepts: Concepts) -> Rows:
    """Return one row per image and column: its position, its cues, its nearest colour.

    At most :data:`MOST` words are drawn, the same in every panel.
    """
    images = sorted(
        concepts.projection.filter(pl.col(WORD).is_not_null())["image_id"].unique(),
        key=lambda image: seed_for("scatter", image),
    )
    rows: Rows = []
    for column in concepts.one_per_component():
        own = concepts.rows("projection", column)
        own = own.filter(pl.col("concept").is_not_null() | pl.col("image_id").is_in(images[:MOST]))
        shown = own.select("image_id", *THREE, "concept", *AXES, "nearest")
        rows += shown.with_columns(column=pl.lit(str(column))).to_dicts()
    return rounded(rows)


def mean_rows(concepts: Concepts) -> Rows:
    """Return one row per column, cue and colour: the centroids of its images and of its words."""
    codes = letters(concepts.names)
    rows: Rows = []
    for column in concepts.one_per_component():
        own = concepts.rows("projection", column)
        rings = own.group_by(color="concept").agg(pl.col(*AXES).mean())
        for cue in THREE:
            words = own.group_by(color=cue).agg(pl.col(*AXES).mean().name.prefix("word_"))
            both = rings.join(words, on="color").sort("color")
            shared = {"column": str(column), "cue": cue}
            rows += [{**shared, **row, "code": codes[row["color"]]} for row in both.to_dicts()]
    return rounded(rows)


def confusions(concepts: Concepts) -> Spec:
    """Draw the nearest colour of words of each colour, one matrix per cue."""
    strips = [
        alt.hconcat(*(_matrix(concepts, column, cue) for cue in THREE), spacing=22)
        for column in concepts.one_per_component()
    ]
    key = f"% of each row, with {concepts.shown} components; only words in three colors"
    title = {"text": f"Nearest color of words: {concepts.model}", "subtitle": key, "offset": 12}
    chart = alt.vconcat(*strips, spacing=24).properties(title=title)
    return finish(chart, {"points": confusion_rows(concepts)}, f"{title['text']}; {key}")


def confusion_rows(concepts: Concepts) -> Rows:
    """Return the count and share for each column, cue, cue colour and nearest colour."""
    rows: Rows = []
    distinct = (pl.col(WORD) != pl.col(FONT)) & (pl.col(FONT) != pl.col(BACKGROUND))
    for column in concepts.one_per_component():
        own = concepts.rows("projection", column)
        own = own.filter(distinct, pl.col(WORD) != pl.col(BACKGROUND))
        for cue in THREE:
            counts = own.group_by(pl.col(cue).alias("color"), "nearest").len("count")
            share = pl.col("count") / pl.col("count").sum().over("color")
            sums = counts.with_columns(share=share).sort("color", "nearest").to_dicts()
            rows += [{"column": str(column), "cue": cue, **row} for row in sums]
    return rounded(rows)


def _cloud(concepts: Concepts, column: AddressSpan, cue: str) -> alt.LayerChart:
    chart, means = base("points", column=str(column)), base("means", column=str(column), cue=cue)
    x, y = _axes(concepts, column, AXES)
    word_x, word_y = _axes(concepts, column, ("word_first", "word_second"))
    paint = _paint(concepts)

    def fill(field: str) -> alt.Fill:
        return alt.Fill(field, type="nominal", scale=paint, legend=None)

    def dots(data: alt.Chart, **mark: Any) -> alt.Chart:
        return data.mark_point(stroke=INK, opacity=1, **mark)

    rings = dots(chart.transform_filter("isValid(datum.concept)"), size=30, strokeWidth=1)
    words = chart.transform_filter(f"isValid(datum.{cue})")
    squares = dots(words, size=24, shape="square", strokeWidth=0.3)
    shown = [f"{name}:N" for name in (*THREE, "nearest", "image_id")]
    ring = dots(means, size=400, strokeWidth=2.5).encode(fill=fill("color"), tooltip="color:N")
    square = dots(means, size=260, shape="square", strokeWidth=1.6)
    return alt.layer(
        rings.encode(x=x, y=y, fill=fill("concept"), tooltip=["concept:N", "image_id:N"]),
        squares.encode(x=x, y=y, fill=fill(cue), tooltip=shown),
        means.mark_rule(color=INK, strokeWidth=1.6).encode(
            x=x, y=y, x2="word_first", y2="word_second"
        ),
        square.encode(x=word_x, y=word_y, fill=fill("color"), tooltip="color:N"),
        *_lettered(means, word_x, word_y, 10),
        ring.encode(x=x, y=y),
        *_lettered(means, x, y, 12),
    ).properties(
        title={"text": str(column), "subtitle": f"words by their {cue}"}, width=330, height=270
    )


def _lettered(means: alt.Chart, x: alt.X, y: alt.Y, size: int) -> list[alt.Chart]:
    """Return the letters of means, dark with a pale halo, readable on any colour."""
    text = {"fontSize": size, "fontWeight": "bold", "color": INK}
    halo = {"stroke": "white", "strokeWidth": 2.6, "strokeOpacity": 0.85}
    return [means.mark_text(**text, **more).encode(x=x, y=y, text="code:N") for more in (halo, {})]


def _axes(concepts: Concepts, column: AddressSpan, fields: tuple[str, str]) -> tuple[alt.X, alt.Y]:
    """Return the x and y axes of two components, with their shares of the concepts' variance."""
    apart = concepts.rows("separation", column).filter(pl.col("components") > 0)
    prompt = concepts.rows("projection", column)["prompt"][0]
    shares = apart.filter(prompt=prompt).sort("components")["explained"].to_list()
    own = [b - a for a, b in zip([0, *shares], shares, strict=False)][:2]
    words = [f" ({share:.0%} of concepts' variance)" for share in own] + ["", ""]
    look = {"type": "quantitative", "axis": {"grid": False, "tickCount": 4}}
    look |= {"scale": {"zero": False}}
    titles = [f"{name} component{share}" for name, share in zip(AXES, words, strict=False)]
    return alt.X(fields[0], title=titles[0], **look), alt.Y(fields[1], title=titles[1], **look)


def _paint(concepts: Concepts) -> alt.Scale:
    own = concepts.projection.filter(pl.col("concept").is_not_null())
    known = dict(own.select("concept", "rgb").unique("concept").iter_rows())
    colors = ["#" + bytes(known[n]).hex() if known[n] else UNKNOWN for n in concepts.names]
    return alt.Scale(domain=concepts.names, range=colors)


def _matrix(concepts: Concepts, column: AddressSpan, cue: str) -> alt.LayerChart:
    names = concepts.names
    scale = {"domain": names}
    cells = base("points", column=str(column), cue=cue).encode(
        x=alt.X("nearest:O", title="nearest color", scale=scale, axis={"labelAngle": -45}),
        y=alt.Y("color:O", title=f"color of the {cue}", scale=scale),
    )
    few = len(names) <= 10  # with more, cells are too narrow for numbers
    size = 190 if few else 14 * len(names)
    chart = shares_matrix(cells, ["color:N", "nearest:N", "count:Q"], 9 if few else None)
    title = {"text": str(column), "subtitle": f"by the {cue}"}
    return chart.properties(title=title, width=size, height=size)
