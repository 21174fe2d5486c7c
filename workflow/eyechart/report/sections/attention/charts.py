"""Charts of a model's attention, and of the block from which its response is fixed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import altair as alt
from PIL import Image

from eyechart.core.address import sort_key
from eyechart.report import chart_style as style
from eyechart.report.files import Inputs
from eyechart.report.labels import task_name
from eyechart.report.overlays import SMALLEST, in_turn, over_image
from eyechart.report.sections.attention import load

SERIES = {  # name, colour, dashes, shape
    "reference": (load.ROLE_NAMES["reference"], style.PURPLE, [2, 2], "diamond"),
    "right": (load.ROLE_NAMES["right"], style.BLUE, [1, 0], "circle"),
    "wrong": (load.ROLE_NAMES["wrong"], style.ORANGE, [6, 3], "square"),
    "image": ("whole image", style.GREEN, [1, 0], "circle"),
    "answer": ("right choice, at the answer position", style.BLUE, [1, 0], "circle"),
    "inside": ("right choice, at tokens of its region", style.GREEN, [6, 3], "triangle-up"),
    "settled": ("items whose response is fixed", style.ORANGE, [2, 2], "square"),
}
NAMES = {series: look[0] for series, look in SERIES.items()}
LEAST, MOST = 1 / 16, 16  # range of ratios on a log scale
# orange below 1, white at 1, blue above: distinguishable with common colour blindness
BOTH_WAYS = ["#7f3b08", "#d98a2b", "#fbe0b5", "#ffffff", "#c9dff0", "#5b9fd0", "#0b4a8a"]
RATIOS_KEY = (
    "1: equal attention to all image tokens · band: 95% interval · "
    "hollow: control, the same regions on another item's image"
)
MASSES_KEY = "share of attention to image tokens · dashed grey: their share of the prompt"
LENS_KEY = "logit lens by block · band: 95% interval · dashed grey: chance"
MANY_LAYERS = 12  # with more blocks, not every block is labelled
Panel = Callable[[style.Rows, str, int], alt.LayerChart]


def figures(inputs: Inputs, settings: dict[str, Any]) -> dict[str, style.Spec | Image.Image]:
    """Return the charts of one model on one dataset, and sample items with their attention."""
    (traced,) = load.read_traced(inputs.paths("attention"))
    examples = in_turn(load.read_examples(inputs, traced), settings["maps"])
    sheets = [sheet(one, settings["map_layers"], settings["gallery_px"]) for one in examples]
    return {
        "ratios": ratios(traced),
        "heads": heads(traced, settings["alpha"]),
        "masses": masses(traced),
        "lens": lens(traced),
        **{f"item-{n}": image for n, image in enumerate(sheets, start=1)},
    }


def sheet(example: load.TracedImage, layers: int, width: int = SMALLEST) -> Image.Image:
    """Draw the image, the same image under the attention of some blocks, and the colour bar.

    Parameters
    ----------
    layers : number of blocks, spread evenly from the first to the last
    width : width of each panel in pixels; wider images are shrunk
    """
    chosen = style.spread(list(example.maps), layers)
    panels = [(f"{a}, mean over heads", example.maps[a], example.places) for a in chosen]
    return over_image(example, panels, width)


def ratios(traced: load.Traced, width: int = 230) -> style.Spec:
    """Draw the ratio in regions by block for each task: one line per role, with hollow controls."""
    return _panels(traced, ratio_rows(traced), RATIOS_KEY, width, _ratio)


def masses(traced: load.Traced, width: int = 230) -> style.Spec:
    """Draw each task's attention to image tokens by block, and the tokens' share of the prompt."""
    rows = [_plain(r) | {"series": "image"} for r in traced.of("image_mass")]
    return _panels(traced, rows, MASSES_KEY, width, _share)


def lens(traced: load.Traced, width: int = 230) -> style.Spec:
    """Draw the right choice's probability by block for each task, and the share of fixed items."""
    return _panels(traced, lens_rows(traced), LENS_KEY, width, _share)


def heads(traced: load.Traced, alpha: float, task: str | None = None) -> style.Spec:
    """Draw the ratio in the right region by block and head, with dots where q is low.

    ``task``: a single task; None for one panel per task.
    """
    rows = [r for r in head_rows(traced, alpha) if task in (None, r["task"])]
    tasks = [t for t in traced.tasks() if any(r["task"] == t for r in rows)]
    key = f"ratio in the right choice's region, by head · dot: q < {alpha:g} against the control"
    return _figure(traced, key, [_heads(rows, one) for one in tasks], rows)


def ratio_rows(traced: load.Traced) -> style.Rows:
    """Return one row per task, role and block: the ratio and the control's ratio."""
    return [_plain(r) | {"series": r["role"]} for r in traced.of("ratio", *load.ROLE_NAMES)]


def lens_rows(traced: load.Traced) -> style.Rows:
    """Return one row per task, series and block."""
    found = [_plain(r) | {"series": "answer"} for r in traced.of("lens_p_right", "answer")]
    found += [_plain(r) | {"series": "inside"} for r in traced.of("lens_p_right", "right")]
    return found + [_plain(r) | {"series": "settled"} for r in traced.of("lens_settled")]


def head_rows(traced: load.Traced, alpha: float) -> style.Rows:
    """Return the ratio in the right region, one row per task, block and head."""
    found = traced.of("ratio", "right", heads=True)
    return [
        _plain(r) | {"head": r["head"], "sure": r["q"] is not None and r["q"] < alpha}
        for r in found
    ]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    names = ("task", "address", "value", "chance", "control", "difference", "p", "q", "n", "groups")
    block = int(row["address"].rsplit(".", maxsplit=1)[-1])
    kept = {"block": block, **{k: row[k] for k in names}}
    return style.rounded([kept | {"low": row["ci_low"], "high": row["ci_high"]}])[0]


def _panels(
    traced: load.Traced, rows: style.Rows, key: str, width: int, panel: Panel
) -> style.Spec:
    tasks = [t for t in traced.tasks() if any(r["task"] == t for r in rows)]
    return _figure(traced, key, [panel(rows, task, width) for task in tasks], rows)


def _figure(
    traced: load.Traced, key: str, panels: Sequence[alt.LayerChart], rows: style.Rows
) -> style.Spec:
    name = f"{traced.model} on {traced.dataset}"
    if not panels:
        return style.empty(name, "no data for this figure")
    chart = alt.concat(*panels, columns=3, spacing=26)
    chart = chart.properties(title={"text": name, "subtitle": key, "offset": 12})
    return style.finish(chart, {"points": rows}, f"{name}: {key}")


def _ratio(rows: style.Rows, task: str, width: int) -> alt.LayerChart:
    low, high = _around(rows)
    values = [2.0**n for n in range(-4, 5) if low <= 2.0**n <= high]
    look = {
        "scale": {"type": "log", "base": 2, "domain": [low, high], "clamp": True, "nice": False},
        "axis": {"values": values, "format": ".3~g"},
        "title": "times uniform (log scale)",
    }
    chart = style.base("points", task=task)
    hollow = chart.mark_point(filled=False, size=34, strokeWidth=1.2, opacity=0.8)
    return alt.layer(
        chart.mark_rule(color=style.INK, strokeWidth=1).encode(
            y=alt.Y(datum=1, type="quantitative", **look)
        ),
        *_lines(rows, chart, look),
        hollow.encode(
            x=_block(rows),
            y=alt.Y("control:Q", **look),
            color=_series(alt.Color, rows, 1),
            shape=_series(alt.Shape, rows, 3),
        ),
    ).properties(title=_title(rows, task), width=width, height=190)


def _share(rows: style.Rows, task: str, width: int) -> alt.LayerChart:
    look = {"scale": style.UNIT, "axis": {"tickCount": 5, "format": ".1f"}, "title": None}
    chart = style.base("points", task=task)
    chance = (
        chart.transform_filter("isValid(datum.chance)")
        .transform_aggregate(chance="mean(chance)", groupby=["block"])
        .mark_line(color=style.GREY, strokeDash=[3, 3], strokeWidth=1.6)
        .encode(x=_block(rows), y=alt.Y("chance:Q", **look))
    )
    return alt.layer(chance, *_lines(rows, chart, look)).properties(
        title=_title(rows, task), width=width, height=190
    )


def _lines(rows: style.Rows, chart: alt.Chart, look: Mapping[str, Any]) -> list[alt.Chart]:
    drawn = chart.encode(x=_block(rows), color=_series(alt.Color, rows, 1))
    shares = style.decimals(("value", "low", "high", "chance", "control"))
    tips = ["series:N", "address:N", "task:N", *shares, alt.Tooltip("q:Q", format=".2g"), "n:Q"]
    value = alt.Y("value:Q", **look)
    return [
        drawn.mark_area(opacity=0.16).encode(y=alt.Y("low:Q", **look), y2="high"),
        drawn.mark_line(strokeWidth=2).encode(y=value, strokeDash=_series(alt.StrokeDash, rows, 2)),
        drawn.mark_point(filled=True, size=34, opacity=1).encode(
            y=value, shape=_series(alt.Shape, rows, 3), tooltip=tips
        ),
    ]


def _around(rows: style.Rows) -> list[float]:
    """Return the powers of two that enclose all ratios, within the maximum shown."""
    values = [r[k] for r in rows for k in ("value", "control", "low", "high") if r.get(k)]
    low, high = min([*values, 0.5]), max([*values, 2.0])
    ends = [LEAST, 1 / 8, 1 / 4, 1 / 2, 2, 4, 8, MOST]
    below = [e for e in ends if e <= low] or [LEAST]
    return [max(e for e in below if e < 1), min([e for e in ends if e >= high] or [MOST])]


def _heads(rows: style.Rows, task: str) -> alt.LayerChart:
    here = [r for r in rows if r["task"] == task]
    blocks = sorted({r["address"] for r in here}, key=sort_key)
    small = max(len(blocks), max(r["head"] for r in here) + 1) > MANY_LAYERS
    chart = style.base("points", task=task).encode(
        x=alt.X("head:O", title="head", axis={"labelAngle": 0, "labelOverlap": True}),
        y=alt.Y("address:O", sort=blocks, title=None, axis={"labelOverlap": small}),
    )
    legend = {"title": "times uniform", "orient": "bottom", "gradientLength": 180}
    legend |= {"values": [0.25, 1, 4]}
    # ratios are shown on a log scale: 1/2 is as far from 1 as 2 is
    scale = {"type": "log", "base": 2, "domain": [1 / 8, 8], "range": BOTH_WAYS}
    scale |= {"clamp": True, "interpolate": "lab"}
    tooltip = ["address:N", "head:Q", alt.Tooltip("value:Q", format=".2f")]
    tooltip += [alt.Tooltip("control:Q", format=".2f"), alt.Tooltip("q:Q", format=".2g"), "n:Q"]
    cells = chart.transform_calculate(shown="max(datum.value, 0.125)").mark_rect(stroke=style.PALE)
    sure = chart.transform_filter("datum.sure")
    step = {"step": 11 if small else 24}
    return alt.layer(
        cells.encode(color=alt.Color("shown:Q", scale=scale, legend=legend), tooltip=tooltip),
        sure.mark_point(filled=True, color=style.INK, opacity=1, size=9 if small else 22),
    ).properties(title=_title(rows, task), width=step, height=step)


def _title(rows: style.Rows, task: str) -> str:
    n = max(r["n"] for r in rows if r["task"] == task)
    return f"{task_name(task)} (n {n:,})"


def _block(rows: style.Rows) -> alt.X:
    blocks = sorted({r["block"] for r in rows})
    every = 1 + len(blocks) // MANY_LAYERS
    axis = {"values": blocks[::every], "format": "d", "grid": False}
    domain = [blocks[0], max(blocks[-1], blocks[0] + 1)]
    return alt.X("block:Q", axis=axis, title="block", scale={"domain": domain, "nice": False})


def _series(channel: Any, rows: style.Rows, which: int) -> Any:
    used = [s for s in SERIES if any(r["series"] == s for r in rows)]
    legend: dict[str, Any] = {"title": None, "orient": "top", "labelExpr": style.renamed(NAMES)}
    legend |= {"symbolOpacity": 1, "columnPadding": 24, "symbolDash": [1, 0]}
    return channel(
        "series:N", scale=style.scale_of({s: SERIES[s][which] for s in used}), legend=legend
    )
