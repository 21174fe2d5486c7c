"""Slope chart from encoder to VLM: one line per pattern, rising or falling."""

from collections.abc import Sequence

import altair as alt

from eyechart.report import chart_style as style
from eyechart.report.sections.patterns.load import EncoderAgainstVLM

GAP = 0.05  # minimum gap on the axis between two labels
CHANGES = {
    "the VLM does better": style.BLUE,
    "the VLM does worse": style.VERMILION,
    "both alike": style.GREY,
}
SMALL = {"fontSize": 11, "color": style.INK}


def slope(comparison: EncoderAgainstVLM) -> style.Spec:
    """Draw the pair accuracy of the encoder (left) and the VLM (right), one line per pattern."""
    rows = slope_rows(comparison)
    heads = [
        {
            "side": side,
            "name": one.model,
            "where": f"{one.kind.replace('vlm', 'VLM')}, {one.dataset}",
        }
        for side, one in enumerate((comparison.encoder, comparison.vlm))
    ]
    used = [w for w in CHANGES if any(r["change"] == w for r in rows)]
    chance = comparison.encoder.rows[0]["chance"]
    data = {"points": rows, "heads": heads, "chance": [{"chance": chance, "text": "chance"}]}
    title = {"text": " ", "fontSize": 34}  # space for the heads
    chart = alt.layer(*_layers(used)).properties(title=title, width=350, height=380)
    words = f"Pair accuracy from {comparison.encoder.name()} to {comparison.vlm.name()}"
    return style.finish(chart, data, words)


def slope_rows(comparison: EncoderAgainstVLM) -> style.Rows:
    """Return two rows per common pattern, with the heights of their labels."""
    rows: style.Rows = []
    words = list(CHANGES)
    for first in comparison.encoder.rows:
        second = comparison.vlm.at(first["pattern"])
        if not second:
            continue
        gain = second["accuracy"] - first["accuracy"]
        change = words[2] if abs(gain) < 1e-9 else words[0] if gain > 0 else words[1]
        for side, one in enumerate((first, second)):
            row = {k: one[k] for k in ("model", "dataset", "pattern", "accuracy", "pairs")}
            row |= {"low": one["ci_low"], "high": one["ci_high"], "side": side}
            text = f"{one['pattern']} {one['accuracy']:.2f}"
            rows.append(row | {"change": change, "text": text})
    for side in (0, 1):
        here = [r for r in rows if r["side"] == side]
        for row, y in zip(here, spread([r["accuracy"] for r in here]), strict=True):
            row["label_y"] = y
    return style.rounded(rows)


def spread(values: Sequence[float]) -> list[float]:
    """Return label positions at least ``GAP`` apart, within the axis, in the order of their values.

    >>> [round(y, 3) for y in spread([0.5, 0.5, 0.9])]
    [0.475, 0.525, 0.9]
    """
    found = [0.0] * len(values)
    clusters: list[tuple[float, list[int]]] = []  # the centre of some labels, and the labels
    for i in sorted(range(len(values)), key=lambda i: values[i]):
        clusters.append((values[i], [i]))
        while len(clusters) > 1 and _touch(*clusters[-2:]):
            members = clusters[-2][1] + clusters[-1][1]
            middle = sum(values[j] for j in members) / len(members)
            half = (len(members) - 1) * GAP / 2
            clusters[-2:] = [(min(max(middle, half), 1 - half), members)]
    for middle, members in clusters:
        for rank, i in enumerate(members):
            found[i] = middle + (rank - (len(members) - 1) / 2) * GAP
    return found


def _touch(below: tuple[float, list[int]], above: tuple[float, list[int]]) -> bool:
    return above[0] - below[0] < (len(below[1]) + len(above[1])) / 2 * GAP - 1e-9


def _x(field: str) -> alt.X:
    return alt.X(field, type="quantitative", axis=None, scale={"domain": [-1, 2]})


def _y(field: str) -> alt.Y:
    return alt.Y(field, type="quantitative", scale=style.UNIT, axis=None)


def _layers(used: Sequence[str]) -> list[alt.Chart]:
    legend = {"title": None, "orient": "bottom", "symbolType": "stroke"}
    scale = style.scale_of({w: CHANGES[w] for w in used})
    drawn = style.base("points").encode(
        x=_x("side"), y=_y("accuracy"), color=alt.Color("change:N", scale=scale, legend=legend)
    )
    chance = style.base("chance").encode(y=_y("chance"))
    named = chance.mark_text(fontSize=11, color=style.GREY, align="center", dy=-6)
    heads = style.base("heads").encode(x=_x("side"), y=alt.value(0))
    return [
        chance.mark_rule(color=style.GREY, strokeDash=[4, 3]),
        named.encode(x=alt.value(175), text="text:N"),
        drawn.mark_line(strokeWidth=1.8).encode(detail="pattern:N"),
        drawn.mark_point(filled=True, size=40, opacity=1),
        *_labels(0, "right", -1),
        *_labels(1, "left", 1),
        heads.mark_text(**SMALL, dy=-31, fontWeight="bold").encode(text="name:N"),
        heads.mark_text(**SMALL, dy=-17).encode(text="where:N"),
    ]


def _labels(side: int, align: str, out: int) -> list[alt.Chart]:
    distances = {"near": 0.03, "stub": 0.11, "far": 0.14}
    moves = {name: f"datum.side + {out * d}" for name, d in distances.items()}
    here = (
        style.base("points").transform_filter(f"datum.side === {side}").transform_calculate(**moves)
    )
    link = here.mark_rule(color=style.BORDER, strokeWidth=0.7)
    text = here.mark_text(**SMALL, align=align)
    return [
        link.encode(x=_x("near"), x2="stub", y=_y("accuracy"), y2="label_y"),
        text.encode(x=_x("far"), y=_y("label_y"), text="text:N"),
    ]
