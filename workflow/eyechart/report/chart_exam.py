"""The exam card as figures: every stage of every skill of a model; the classes of all models."""

from collections.abc import Sequence

from eyechart.report.chart_style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    UNIT,
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
from eyechart.report.exam_card import ModelVerdicts, grid
from eyechart.report.exam_looks import LANES, LOOKS, Look

RING = "M-1,0a1,1 0 1,0 2,0a1,1 0 1,0 -2,0zM-.55,0a.55,.55 0 1,1 1.1,0a.55,.55 0 1,1 -1.1,0z"
STAGE_LOOKS = {  # colour and shape by stage, as the rooms have them elsewhere
    "alone": (BLUE, RING),
    "encoder": (BLUE, "circle"),
    "connector": (ORANGE, "square"),
    "lm_best": (GREEN, "triangle-up"),
    "lm_last": (GREEN, "triangle-down"),
    "sighted": (INK, "diamond"),
    "blind": (GREY, "cross"),
}
PATHS = {  # Vega has no ring and no dash; the others bear its own names
    "circle": "circle",
    "triangle": "triangle-up",
    "diamond": "diamond",
    "square": "square",
    "cross": "cross",
    "ring": RING,
    "dash": "M-1,-.25h.8v.5h-.8zM.2,-.25h.8v.5h-.8z",
}
LANE = 11  # px
CELL = (210, 24)  # px
CLASS = "class"
APART = {"color": "independent", "shape": "independent", "yOffset": "independent"}


def exam(one: ModelVerdicts) -> Spec:
    """Draw every stage of every skill of a model with its interval, chance, and the class."""
    rows = exam_rows(one)
    stages = [name for name in LANES.values() if any(r["stage"] == name for r in rows)]
    bands = list(dict.fromkeys(r["band"] for r in rows))
    panels = [_panel(rows, band, stages, first=band == bands[0]) for band in bands]
    title = f"{one.model}: share right at every stage (95 % interval; tick: chance or floor)"
    chart = {"title": title, "vconcat": panels, "spacing": 12}
    return spec(chart | {"resolve": {"scale": APART}}, {"points": rows})


def nothing(model: str) -> Spec:
    """Say that there was nothing to decide on."""
    rows = [{"model": model, "text": f"Nothing was asked or read of {model} to decide on."}]
    chart = {"width": 480, "height": 40, "mark": {"type": "text", "fontSize": 13}}
    encoding = {"text": {"field": "text", "type": "nominal"}}
    return spec({**view("points"), **chart, "encoding": encoding}, {"points": rows})


def exam_rows(one: ModelVerdicts) -> Rows:
    """Give a row per skill and stage: value, interval, n, floor, address, class and reason."""
    rows = []
    for band in grid([one]):
        for line in band["lines"]:
            (cell,) = line["cells"]
            datasets = ", ".join(line["datasets"])
            key = {
                "model": one.model,
                "band": band["name"],
                "skill": f"{line['skill']} · {datasets}",
            }
            key |= {CLASS: cell["look"].word, "chance": line["chance"]}
            for lane in cell["lanes"]:
                row = key | {"stage": lane["name"], "value": lane["value"], "n": lane["n"]}
                row |= {"low": lane["ci_low"], "high": lane["ci_high"], "floor": lane["floor"]}
                row |= {"address": lane["address"], "evidence": lane["evidence"]}
                rows.append(row | {"why": cell["row"]["why"]})
    return rounded(rows)


def comparison(exams: Sequence[ModelVerdicts]) -> Spec:
    """Draw the class of every skill of every model, with the answer's share of right ones."""
    rows = comparison_rows(exams)
    lines = list(dict.fromkeys(r["line"] for r in rows))
    models = [e.model for e in exams]
    axis = {"labelAngle": 0, "orient": "top", "domain": False, "ticks": False, "labelLimit": 0}
    x = {"field": "model", "type": "ordinal", "sort": models, "title": None, "axis": axis}
    left = {"domain": False, "ticks": False, "labelLimit": 0}
    y = {"field": "line", "type": "ordinal", "sort": lines, "title": None, "axis": left}
    words = [look for look in LOOKS.values() if any(r[CLASS] == look.word for r in rows)]
    tint = {"domain": [w.word for w in words], "range": [w.tint for w in words]}
    base, place = view("points"), {"x": x, "y": y}
    box = {"type": "rect", "stroke": "white", "strokeWidth": 3}
    text = {"type": "text", "align": "left", "color": INK, "fontSize": 11}
    chart = {
        "title": "Where each model fails (share right with 95 % interval, n items)",
        "width": CELL[0] * len(models),
        "height": CELL[1] * len(lines),
        "layer": [
            layer(base, box, {**place, "color": label(CLASS, scale=tint, legend=None)}),
            _symbol(base, place, words, -CELL[0] / 2 + 12),
            layer(base, {**text, "fontWeight": "bold", "dx": -CELL[0] / 2 + 23},
                  {**place, "text": label(CLASS)}),
            layer(base, {**text, "dx": -CELL[0] / 2 + 88}, {**place, "text": label("text")}),
        ],
        "resolve": {"scale": {"color": "independent"}},
    }  # fmt: skip
    return spec(chart, {"points": rows})


def comparison_rows(exams: Sequence[ModelVerdicts]) -> Rows:
    """Give a row per model and skill: class, the number beside it, interval, n, chance."""
    rows = []
    for band in grid(exams):
        for line in band["lines"]:
            name = f"{line['skill']} · {', '.join(line['datasets'])} · chance {line['chance']:.2f}"
            for one, cell in zip(exams, line["cells"], strict=True):
                if cell:
                    head = cell["head"]
                    numbers = f"{head['value']:.2f} {head['ci_low']:.2f}–{head['ci_high']:.2f}"
                    row = {"line": name, "model": one.model, CLASS: cell["look"].word}
                    row |= {"text": f"{numbers} n {head['n']}", "stage": head["name"]}
                    row |= {"value": head["value"], "low": head["ci_low"], "high": head["ci_high"]}
                    rows.append(row | {"n": head["n"], "chance": line["chance"]})
    return rounded(rows)


def _panel(rows: Rows, band: str, stages: Sequence[str], first: bool) -> Spec:
    """Draw one band: its stages on the left, its classes on the right."""
    own = [r for r in rows if r["band"] == band]
    skills = list(dict.fromkeys(r["skill"] for r in own))
    here = [name for name in stages if any(r["stage"] == name for r in own)]
    height = len(skills) * (LANE * len(here) + 8)
    axis = {"grid": True, "labelLimit": 0, "minExtent": 190}
    named = {"field": "skill", "type": "ordinal", "sort": skills, "title": None, "axis": axis}
    y = {"y": {**named, "scale": {"paddingInner": 0, "paddingOuter": 0}}}
    base = view("points", f"datum.band === {quoted(band)}")
    left = {"title": band, "width": 560, "height": height,
            "layer": _stages(base, y, stages, here, first)}  # fmt: skip
    right = {"width": 110, "height": height, "layer": _classes(base, y, own)}
    return {"hconcat": [left, right], "spacing": 8, "resolve": {"scale": APART}}


def _stages(
    base: Spec, y: Spec, stages: Sequence[str], here: Sequence[str], first: bool
) -> list[Spec]:
    looks = [STAGE_LOOKS[stage] for stage, name in LANES.items() if name in stages]
    legend = {"title": None, "orient": "top"} if first else None
    color = {"domain": list(stages), "range": [c for c, _ in looks]}
    shape = {"domain": list(stages), "range": [s for _, s in looks]}
    lane = {**y, "yOffset": label("stage", sort=list(here), scale={"paddingOuter": 0.3})}
    drawn = {**lane, "color": label("stage", scale=color, legend=legend)}
    axis = {"format": ".1f", "tickCount": 10}
    point = {**drawn, "x": number("value", scale=UNIT, title=None, axis=axis),
             "shape": label("stage", scale=shape, legend=legend)}  # fmt: skip
    tick = {**lane, "x": number("floor", scale=UNIT)}
    line = {**drawn, "x": number("low", scale=UNIT), "x2": {"field": "high"}}
    return [
        layer(base, {"type": "tick", "color": GREY, "thickness": 1, "size": LANE}, tick),
        layer(base, {"type": "rule", "strokeWidth": 1.4}, line),
        layer(base, {"type": "point", "filled": True, "size": 46, "opacity": 1}, point),
    ]


def _classes(base: Spec, y: Spec, rows: Rows) -> list[Spec]:
    words = [look for look in LOOKS.values() if any(r[CLASS] == look.word for r in rows)]
    once = {"aggregate": [{"op": "count", "as": "count"}], "groupby": ["skill", CLASS]}
    base = {**base, "transform": [*base["transform"], once]}
    bare = {"y": {**y["y"], "axis": None}}
    text = {"type": "text", "align": "left", "dx": 12, "color": INK, "fontWeight": "bold"}
    place = {**bare, "x": {"value": 10}}
    return [
        _symbol(base, place, words, 0),
        layer(base, text, {**place, "text": label(CLASS)}),
    ]


def _symbol(base: Spec, place: Spec, words: Sequence[Look], dx: float) -> Spec:
    names = [w.word for w in words]
    shape = {"domain": names, "range": [PATHS[w.shape] for w in words]}
    color = {"domain": names, "range": [w.color for w in words]}
    mark = {"type": "point", "filled": True, "size": 100, "opacity": 1, "xOffset": dx}
    drawn = {**place, "shape": label(CLASS, scale=shape, legend=None)}
    return layer(base, mark, {**drawn, "color": label(CLASS, scale=color, legend=None)})
