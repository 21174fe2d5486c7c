"""The verdicts as figures: every stage of every skill of a model, and the classes of all models."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import altair as alt

from eyechart.report import chart_style as style
from eyechart.report.files import Inputs
from eyechart.report.sections.verdict.classes import LANES, LOOKS, SLOT_OF, SLOTS, ClassLook
from eyechart.report.sections.verdict.load import ModelVerdicts, grid, read_verdicts

RING = "M-1,0a1,1 0 1,0 2,0a1,1 0 1,0 -2,0zM-.55,0a.55,.55 0 1,1 1.1,0a.55,.55 0 1,1 -1.1,0z"
SLOT_COLORS = dict(
    zip(SLOTS, (style.BLUE, style.ORANGE, style.GREEN, style.VERMILION, style.INK), strict=True)
)
STAGE_COLORS = {stage: SLOT_COLORS.get(SLOT_OF.get(stage, ""), style.GREY) for stage in LANES}
STAGE_SHAPES = {
    "alone": RING,
    "encoder": "circle",
    "connector": "square",
    **{f"{at}_first": "triangle-left" for at in ("lm", "position")},
    **{f"{at}_best": "triangle-up" for at in ("lm", "position")},
    **{f"{at}_last": "triangle-down" for at in ("lm", "position")},
    "sighted": "diamond",
    "blind": "cross",
}
PATHS = {  # Vega has no ring and no dash; the other shapes use its names
    **{look.shape: look.shape for look in LOOKS.values()},
    "ring": RING,
    "dash": "M-1,-.25h.8v.5h-.8zM.2,-.25h.8v.5h-.8z",
}
LANE = 11  # px
CELL = (245, 24)  # px
CLASS = "class"
LOSS = ("partly", "loss_first", "loss_second", "loss", "evidence", "cause", "horizon")
APART = {"color": "independent", "shape": "independent", "yOffset": "independent"}


def figures(inputs: Inputs, settings: dict[str, Any]) -> dict[str, style.Spec]:
    """Return a card for each model with a table, and the comparison of all models."""
    files = inputs.of("verdicts")
    models = read_verdicts([file.path for file in files])
    found = {f"card_{file.names['model']}": nothing(file.names["model"]) for file in files}
    found |= {f"card_{one.model}": card_chart(one) for one in models}
    return found | {"comparison": comparison(models) if models else nothing("any model")}


def card_chart(one: ModelVerdicts) -> style.Spec:
    """Draw every stage of every skill of a model with its interval, chance and class."""
    rows = card_rows(one)
    stages = [name for name in LANES.values() if any(r["stage"] == name for r in rows)]
    bands = list(dict.fromkeys(r["band"] for r in rows))
    panels = [_panel(rows, band, stages, first=band == bands[0]) for band in bands]
    title = f"{one.model}: accuracy at every stage (95% interval; tick: chance or floor)"
    chart = alt.vconcat(*panels, spacing=12).resolve_scale(**APART)
    return style.finish(chart.properties(title=title), {"points": rows}, title)


def nothing(model: str) -> style.Spec:
    """Return a figure stating that there is no evidence for a decision."""
    text = f"There are no responses, readouts or probes of {model}."
    chart = style.base("points").mark_text(fontSize=13).encode(text="text:N")
    rows = [{"model": model, "text": text}]
    return style.finish(chart.properties(width=480, height=40), {"points": rows}, text)


def card_rows(one: ModelVerdicts) -> style.Rows:
    """Return one row per skill and stage: value, interval, n, floor, address, class and reason."""
    rows = []
    for band in grid([replace(one, note={})]):  # no line combines two datasets
        for line in band["lines"]:
            (cell,) = line["cells"]
            skill = f"{line['skill']} · {', '.join(line['datasets'])}"
            key = {"model": one.model, "band": band["name"], "skill": skill}
            key |= {CLASS: cell["look"].word, "chance": line["chance"]}
            for lane in cell["lanes"]:
                row = key | {"stage": lane["name"], "value": lane["value"], "n": lane["n"]}
                row |= {"low": lane["ci_low"], "high": lane["ci_high"], "floor": lane["floor"]}
                row |= {"address": lane["address"], "evidence": lane["evidence"]}
                found = {name: cell["row"][name] for name in LOSS}
                rows.append(row | found | {"why": cell["row"]["why"]})
    return style.rounded(rows)


def comparison(models: Sequence[ModelVerdicts]) -> style.Spec:
    """Draw the class of every skill of every model, with the accuracy of the response."""
    rows = comparison_rows(models)
    lines = list(dict.fromkeys(r["line"] for r in rows))
    names = [one.model for one in models]
    bare = {"domain": False, "ticks": False, "labelLimit": 0}
    top = bare | {"labelAngle": 0, "orient": "top"}
    looks = [look for look in LOOKS.values() if any(r[CLASS] == look.word for r in rows)]
    tint = style.scale_of({look.word: look.tint for look in looks})
    chart = style.base("points").encode(
        x=alt.X("model:O", sort=names, title=None, axis=top),
        y=alt.Y("line:O", sort=lines, title=None, axis=bare),
    )
    text = {"align": "left", "color": style.INK, "fontSize": 11}
    left = -CELL[0] / 2
    layers = alt.layer(
        chart.mark_rect(stroke="white", strokeWidth=3).encode(
            color=alt.Color(f"{CLASS}:N", scale=tint, legend=None)
        ),
        _symbol(chart, looks, left + 12),
        chart.mark_text(**text, fontWeight="bold", dx=left + 23).encode(text=f"{CLASS}:N"),
        chart.mark_text(**text, dx=left + 125).encode(text="text:N"),
    )
    title = "Verdict of every skill and model (accuracy with 95% interval, n items)"
    size = {"width": CELL[0] * len(names), "height": CELL[1] * len(lines)}
    drawn = layers.properties(title=title, **size).resolve_scale(color="independent")
    return style.finish(drawn, {"points": rows}, title)


def comparison_rows(models: Sequence[ModelVerdicts]) -> style.Rows:
    """Return one row per model and skill: class, displayed number, interval, n, chance."""
    rows = []
    for band in grid(models):
        for line in band["lines"]:
            name = f"{line['skill']} · {', '.join(line['datasets'])} · chance {line['chance']:.2f}"
            for one, cell in zip(models, line["cells"], strict=True):
                if cell:
                    head = cell["head"]
                    numbers = f"{head['value']:.2f} {head['ci_low']:.2f}–{head['ci_high']:.2f}"
                    row = {"line": name, "model": one.model, CLASS: cell["look"].word}
                    row |= {"text": f"{numbers} n {head['n']}", "stage": LANES[head["stage"]]}
                    row |= {"value": head["value"], "low": head["ci_low"], "high": head["ci_high"]}
                    rows.append(row | {"n": head["n"], "chance": line["chance"]})
    return style.rounded(rows)


def _panel(rows: style.Rows, band: str, stages: Sequence[str], first: bool) -> alt.HConcatChart:
    """Draw one band, with stages on the left and classes on the right."""
    own = [r for r in rows if r["band"] == band]
    skills = list(dict.fromkeys(r["skill"] for r in own))
    here = [name for name in stages if any(r["stage"] == name for r in own)]
    height = len(skills) * (LANE * len(here) + 8)
    chart = style.base("points", band=band)
    left = alt.layer(*_stages(chart, skills, stages, here, first))
    right = alt.layer(*_classes(chart, skills, own))
    panel = alt.hconcat(
        left.properties(title=band, width=560, height=height),
        right.properties(width=130, height=height),
        spacing=8,
    )
    return panel.resolve_scale(**APART)


def _skill(skills: Sequence[str], axis: dict[str, Any] | None) -> alt.Y:
    scale = {"paddingInner": 0, "paddingOuter": 0}
    return alt.Y("skill:O", sort=list(skills), title=None, axis=axis, scale=scale)


def _stages(
    chart: alt.Chart, skills: Sequence[str], stages: Sequence[str], here: Sequence[str], first: bool
) -> list[alt.Chart]:
    keys = {name: stage for stage, name in LANES.items() if name in stages}
    legend = {"title": None, "orient": "top", "columns": 4} if first else None
    color = style.scale_of({name: STAGE_COLORS[key] for name, key in keys.items()})
    shape = style.scale_of({name: STAGE_SHAPES[key] for name, key in keys.items()})
    lane = chart.encode(
        y=_skill(skills, {"grid": True, "labelLimit": 0, "minExtent": 190}),
        yOffset=alt.YOffset("stage:N", sort=list(here), scale={"paddingOuter": 0.3}),
    )
    drawn = lane.encode(color=alt.Color("stage:N", scale=color, legend=legend))
    axis = {"format": ".1f", "tickCount": 10}
    tick = lane.mark_tick(color=style.GREY, thickness=1, size=LANE)
    point = drawn.mark_point(filled=True, size=46, opacity=1)
    return [
        tick.encode(x=alt.X("floor:Q", scale=style.UNIT)),
        drawn.mark_rule(strokeWidth=1.4).encode(x=alt.X("low:Q", scale=style.UNIT), x2="high"),
        point.encode(
            x=alt.X("value:Q", scale=style.UNIT, title=None, axis=axis),
            shape=alt.Shape("stage:N", scale=shape, legend=legend),
        ),
    ]


def _classes(chart: alt.Chart, skills: Sequence[str], rows: style.Rows) -> list[alt.Chart]:
    looks = [look for look in LOOKS.values() if any(r[CLASS] == look.word for r in rows)]
    once = chart.transform_aggregate(count="count()", groupby=["skill", CLASS])
    once = once.encode(x=alt.value(10), y=_skill(skills, None))
    text = once.mark_text(align="left", dx=12, color=style.INK, fontWeight="bold")
    return [_symbol(once, looks, 0), text.encode(text=f"{CLASS}:N")]


def _symbol(chart: alt.Chart, looks: Sequence[ClassLook], dx: float) -> alt.Chart:
    shape = style.scale_of({look.word: PATHS[look.shape] for look in looks})
    color = style.scale_of({look.word: look.color for look in looks})
    return chart.mark_point(filled=True, size=100, opacity=1, xOffset=dx).encode(
        shape=alt.Shape(f"{CLASS}:N", scale=shape, legend=None),
        color=alt.Color(f"{CLASS}:N", scale=color, legend=None),
    )
