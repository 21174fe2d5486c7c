"""Charts of interventions: patches by address, cut attention by block, erased concepts by skill."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from eyechart.core.address import CONNECTOR, sort_key
from eyechart.report import chart_style as style
from eyechart.report.files import Inputs
from eyechart.report.sections.interventions.load import (
    ALONE,
    CONTROLS,
    ONWARDS,
    TOKENS,
    WINDOW,
    Intervened,
    Row,
    read_intervened,
)

LOOKS = {  # colour, dashes, shape
    TOKENS["image"]: (style.BLUE, [1, 0], "circle"),
    TOKENS["referent"]: (style.GREEN, [6, 3], "triangle-up"),
    TOKENS["question"]: (style.PURPLE, [2, 2], "diamond"),
    TOKENS["last"]: (style.VERMILION, [8, 2, 2, 2], "square"),
    ALONE: (style.BLUE, [1, 0], "circle"),
    WINDOW: (style.GREEN, [6, 3], "triangle-up"),
    ONWARDS: (style.VERMILION, [2, 2], "square"),
}
PATCHES_KEY = (
    "answers that become the donor's, minus those with a donor of the same answer, by exchanged "
    "tokens · band: 95% interval"
)
KNOCKOUTS_KEY = (
    "right answers when the text cannot attend, minus the control · band: 95% interval · "
    "whole image: against the unedited answer; referent: against another object"
)
SHOWN = 5  # addresses in the matrix of erasures: the connector, and blocks from first to last
LOST = 0.6  # difference at which the colours saturate
# orange: fewer right answers; blue: more; distinguishable with common colour blindness
SIGNED = "abs(datum.value) < 0.01 ? '0' : format(datum.value, '+{}')"
BOTH_WAYS = ["#b35806", "#f1a340", "#ffffff", "#92c5de", "#2166ac"]


def figures(inputs: Inputs, settings: dict[str, Any]) -> dict[str, style.Spec]:
    """Return the charts of one model on one dataset."""
    (one,) = read_intervened(inputs.paths("effects"))
    return {
        "patches": patches(one),
        "knockouts": knockouts(one),
        "erasures": erasures(one, settings["alpha"]),
    }


def patches(one: Intervened) -> style.Spec:
    """Draw the effect of other images' states, one panel per task, one line per kind of token."""
    rows = [_plain(r, TOKENS[r["target"]]) for r in one.patches()]
    panels = [_lines(rows, {"task": task}, task) for task in _tasks(rows)]
    return _figure(one, "Patched states", PATCHES_KEY, panels, rows)


def knockouts(one: Intervened) -> style.Spec:
    """Draw the effect of cut attention by the first block, one line per run of blocks."""
    rows = [_plain(r, r["run"]) for r in one.knockouts()]
    panels = [
        _lines(rows, {"task": task, "target": target}, f"{task}: {TOKENS[target]}")
        for target in dict.fromkeys(r["target"] for r in rows)
        for task in _tasks([r for r in rows if r["target"] == target])
    ]
    return _figure(one, "Cut attention", KNOCKOUTS_KEY, panels, rows)


def erasures(one: Intervened, alpha: float) -> style.Spec:
    """Draw each skill's loss of right answers for each erased concept, by address."""
    found = one.erasures()
    rows = [_plain(r, "") | {"style": _style(r, alpha), "points": _points(r)} for r in found]
    control = CONTROLS[found[0]["control"]] if found else "control"
    key = (
        f"points of right answers, minus {control} of the same rank · bold: q < {alpha:g} · "
        "grey: shown to be within the margin"
    )
    panels = [_matrix(rows, address) for address in shown(rows)]
    return _figure(one, "Erased concepts", key, panels, rows)


def shown(rows: Sequence[Row]) -> list[str]:
    """Return the addresses with a panel: the connector, then blocks from first to last."""
    addresses = sorted({r["address"] for r in rows}, key=sort_key)
    start = [address for address in addresses if address == CONNECTOR]
    blocks = [address for address in addresses if address != CONNECTOR]
    return [*start, *style.spread(blocks, SHOWN - len(start))]


def _plain(row: Row, series: str) -> Row:
    names = ("task", "concept", "target", "address", "until", "value", "ci_low", "ci_high")
    more = ("control", "control_value", "unedited", "difference", "p", "q", "equal", "n", "groups")
    kept = {"series": series, **{name: row[name] for name in (*names, *more)}}
    ends = {"low": row["difference_low"], "high": row["difference_high"]}
    return style.rounded([kept | ends])[0]


def _points(row: Row) -> int:
    """Return the difference in points, rounded as in the table."""
    return round(100 * round(row["difference"], 2))


def _style(row: Row, alpha: float) -> str:
    return "shown" if row["q"] < alpha else "none" if row["equal"] else "open"


def _tasks(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(r["task"] for r in rows))


def _figure(
    one: Intervened, title: str, key: str, panels: Sequence[alt.LayerChart], rows: style.Rows
) -> style.Spec:
    name = f"{title}: {one.model} on {one.dataset}"
    if not panels:
        return style.empty(name, "no data for this figure")
    columns = len(_tasks(rows)) if title != "Erased concepts" else SHOWN
    chart = alt.concat(*panels, columns=min(columns, 4 if title != "Erased concepts" else 3))
    chart = chart.properties(title={"text": name, "subtitle": key, "offset": 12}, spacing=24)
    return style.finish(chart, {"points": rows}, f"{name}: {key}")


def _lines(rows: style.Rows, of: dict[str, str], title: str) -> alt.LayerChart:
    own = [r for r in rows if all(r[name] == value for name, value in of.items())]
    chart = style.base("points", **of)
    x = style.address_axis(sorted({r["address"] for r in own}, key=sort_key), -40)
    scale = {"domain": _around(rows), "nice": False}
    look = {
        "scale": scale,
        "axis": {"labelExpr": SIGNED.format(".1f"), "tickCount": 6},
        "title": None,
    }
    names = [name for name in LOOKS if any(r["series"] == name for r in rows)]
    legend: Row = {"title": None, "orient": "top", "symbolOpacity": 1, "columnPadding": 24}
    legend |= {"symbolDash": [1, 0]}

    def series(channel: Any, which: int) -> Any:
        return channel("series:N", scale=style.scale_of({n: LOOKS[n][which] for n in names}),
                       legend=legend)  # fmt: skip

    drawn = chart.encode(x=x, color=series(alt.Color, 0))
    value = alt.Y("difference:Q", **look)
    tips = style.tips(["series", "address", "until", "task"],
                      ["value", "control_value", "difference", "low", "high"])  # fmt: skip
    return alt.layer(
        chart.mark_rule(color=style.INK).encode(y=alt.Y(datum=0, type="quantitative", **look)),
        drawn.mark_area(opacity=0.13).encode(y=alt.Y("low:Q", **look), y2="high"),
        drawn.mark_line(strokeWidth=2).encode(y=value, strokeDash=series(alt.StrokeDash, 1)),
        drawn.mark_point(filled=True, size=36, opacity=1).encode(
            y=value, shape=series(alt.Shape, 2), tooltip=tips
        ),
    ).properties(title=f"{title} (n {max(r['n'] for r in own):,})", width=185, height=170)


def _around(rows: style.Rows) -> list[float]:
    """Return the ends of a scale that encloses all intervals."""
    return [min(-0.1, *(r["low"] for r in rows)), max(0.1, *(r["high"] for r in rows))]


def _matrix(rows: style.Rows, address: str) -> alt.LayerChart:
    own = [r for r in rows if r["address"] == address]
    where = f"at the {address}" if address == CONNECTOR else f"after {address}"
    chart = style.base("points", address=address).encode(
        x=alt.X("task:O", sort=_tasks(rows), title="skill", axis={"labelAngle": -40}),
        y=alt.Y("concept:O", sort=sorted({r["concept"] for r in own}), title="erased"),
    )
    scale = {"domain": [-LOST, -LOST / 3, 0, LOST / 3, LOST], "range": BOTH_WAYS}
    color = alt.Color(
        "difference:Q", scale=scale | {"clamp": True, "interpolate": "lab"}, legend=None
    )
    tips = style.tips(["concept", "task", "address"],
                      ["value", "control_value", "difference", "low", "high"])  # fmt: skip
    ink = {"shown": style.INK, "open": style.INK, "none": style.GREY}
    text = chart.transform_calculate(
        text=SIGNED.format(".0f").replace("datum.value", "datum.points")
    )
    layers = [chart.mark_rect(stroke=style.PALE).encode(color=color, tooltip=tips)]
    for name, tone in ink.items():
        weight = "bold" if name == "shown" else "normal"
        some = text.transform_filter(style.equals(style=name))
        layers.append(
            some.mark_text(fontSize=12, fontWeight=weight, color=tone).encode(text="text:N")
        )
    n = max(r["n"] for r in own)
    return alt.layer(*layers).properties(
        title=f"{where} (n {n:,})", width={"step": 44}, height={"step": 30}
    )
