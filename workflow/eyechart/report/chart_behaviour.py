"""What a model said: accuracy under each condition, and how its answers are distributed."""

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from eyechart.report.behaviour import SHOWN, SIGHTED, Behaviour
from eyechart.report.chart_style import (
    BLUE,
    BORDER,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    UNIT,
    VERMILION,
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
from eyechart.report.places import natural
from eyechart.tables.conditions import CONDITIONS
from eyechart.tables.scores import ALL

METRICS = {"accuracy": "accuracy", "pair_accuracy": "pair accuracy (every item of a pair right)"}
TEXTS = {"vqa_accuracy": "VQA accuracy", "bleu_4": "BLEU-4"}  # of answers in words, from 0 to 1
LOOKS = {  # colour and shape per condition
    "sighted": (BLUE, "circle"),
    "blank": (VERMILION, "square"),
    "noise": (ORANGE, "triangle-up"),
    "swapped": (PURPLE, "diamond"),
    "no_image": (GREEN, "triangle-down"),
}
WORDS = "{" + ", ".join(f"{c}: {quoted(words)}" for c, words in SHOWN.items()) + "}"
KEY = "dashed: chance · black: always saying the commonest answer"
TRUTH = "truth"
FEW = 12  # answers shown by name; all others are one bar
KINDS = {"choice": "answers", "place": "places among the options"}


def accuracy_rows(
    behaviours: Iterable[Behaviour], metrics: Iterable[str] = METRICS, named: bool = False
) -> Rows:
    """Give a row per metric, task and condition; ``named`` by dataset and model, not by task."""
    found = []
    for b in behaviours:
        for metric in metrics:
            for score in b.accuracies(metric):
                kept = {k: score[k] for k in ("metric", "task", "condition", "chance", "majority")}
                kept["majority"] = score["majority"] if metric == "accuracy" else None
                kept |= {"accuracy": score["value"], "low": score["ci_low"]}
                kept |= {"high": score["ci_high"]} | {k: score[k] for k in ("gain", "p", "q")}
                n = score["n"]  # of pair accuracy, pairs
                name = f"{b.dataset}, {b.model}" if named else task_name(score["task"])
                found.append(kept | {"n": n, "row": f"{name} (n {n:,})"})
    return rounded(found)


def task_name(task: str) -> str:
    """Give a task's name for people."""
    return "all tasks" if task == ALL else task


def accuracy(rows: Rows, metric: str, width: int | str) -> Spec:
    """Draw one metric: a row per task, in it a mark with its interval per condition."""
    here = [r for r in rows if r["metric"] == metric]
    names = list(dict.fromkeys(r["row"] for r in here))
    conditions = [c for c in CONDITIONS if any(r["condition"] == c for r in here)]
    band = 10 * len(conditions) + 6
    base = view("points", f"datum.metric === {quoted(metric)}")
    y = {"field": "row", "type": "ordinal", "title": None, "sort": names}
    place = {"y": y, "yOffset": label("condition", sort=conditions)}
    x = {"scale": UNIT, "title": f"{(METRICS | TEXTS)[metric]}, 95 % interval"}
    point = {
        **place,
        "x": number("accuracy", **x, axis={"format": ".1f", "tickCount": 5}),
        "color": _condition(conditions, 0),
        "shape": _condition(conditions, 1),
        "tooltip": _tooltip(),
    }
    line = {**place, "x": number("low", **x), "x2": {"field": "high"}}
    line["color"] = _condition(conditions, 0)
    ends = {"y": {**y, "bandPosition": 0.04}, "y2": {"field": "row", "bandPosition": 0.96}}
    dashed = {"type": "rule", "color": GREY, "strokeDash": [3, 2], "strokeWidth": 1.4}
    layers = [
        layer(base, dashed, {**ends, "x": number("chance", **x)}),
        layer(
            base,
            {"type": "rule", "color": INK, "strokeWidth": 1.4},
            ends | {"x": number("majority", **x)},
        ),
        layer(base, {"type": "rule", "strokeWidth": 1.6}, line),
        layer(base, {"type": "point", "filled": True, "size": 55, "opacity": 1}, point),
    ]
    return {"width": width, "height": len(names) * (band + 6), "layer": layers}


def accuracies(behaviour: Behaviour) -> Spec:
    """Draw every metric of a model on a dataset, as a figure of its own."""
    rows = accuracy_rows([behaviour], METRICS | TEXTS)
    charts = [accuracy(rows, metric, 560) for metric in dict.fromkeys(r["metric"] for r in rows)]
    return _figure(f"{behaviour.model} on {behaviour.dataset}", KEY, charts, rows)


def answer_rows(behaviour: Behaviour) -> Rows:
    """Give how answers, and their places among the options, are distributed.

    A row per task, kind, answer and series: ``truth``, sighted, blind. Of many answers the ``FEW``
    commonest keep their names; all others are one. Places that say nothing but what the answers
    say, because every item has the same options in the same order, are left out.
    """
    shown = [c for c in (SIGHTED, behaviour.blind()) if c in behaviour.conditions()]
    kept = behaviour.distributions.filter(pl.col("condition").is_in(shown))
    found: Rows = []
    for (task,), part in kept.group_by("task", maintain_order=True):
        answers = _shares(part.filter(pl.col("kind") == "choice"))
        places = _shares(part.filter(pl.col("kind") == "place"))
        known = part["truth"].is_not_null().any()
        new = _values(places, shown) != _values(answers, shown)
        for kind, shares in (("choice", answers), *((("place", places),) if new else ())):
            for answer, one in _fewer(shares).items():
                for series in (TRUTH, *shown) if known else shown:
                    row = {"task": task, "kind": kind, "answer": answer, "series": series}
                    found.append(row | {"share": one.get(series, 0.0), "n": part["n"].max()})
    return rounded(sorted(found, key=lambda r: r["task"] != ALL))


def answers(rows: Rows, width: int | str, keep: str) -> Spec:
    """Draw bars of one task and kind, a group per answer; ``keep`` is the filter that picks them.

    The height is that of the rows given; a page that picks others sets it by :func:`bars_height`.
    """
    series = list(dict.fromkeys(r["series"] for r in rows))
    scale = {"domain": series, "range": [_bar_color(s) for s in series]}
    words = f"{WORDS}[datum.label] || datum.label"
    legend = {"title": None, "orient": "top", "symbolType": "square", "labelExpr": words}
    axis = {"labelLimit": 150, "minExtent": 60}
    bars = {
        "y": {"field": "answer", "type": "ordinal", "title": None, "sort": None, "axis": axis},
        "yOffset": label("series", sort=series),
        "x": number("share", title="share of items", axis={"tickCount": 5, "format": ".2~f"}),
        "color": label("series", scale=scale, legend=legend),
        "tooltip": [label("answer"), label("series"), number("share", format=".3f"), number("n")],
    }
    unit = layer(view("points", keep), {"type": "bar"}, bars)
    return {"width": width, "height": bars_height(rows), **unit}


def bars_height(rows: Rows) -> int:
    """Give the height in px of the bars of one task and kind."""
    return len({r["answer"] for r in rows}) * (9 * len({r["series"] for r in rows}) + 7)


def all_answers(behaviour: Behaviour) -> Spec:
    """Draw the distributions of every task, answers first, as a figure of its own."""
    rows = answer_rows(behaviour)
    strips = []
    for kind, words in KINDS.items():
        panels = []
        for task in dict.fromkeys(r["task"] for r in rows if r["kind"] == kind):
            here = [r for r in rows if (r["task"], r["kind"]) == (task, kind)]
            title = {"text": f"{task_name(task)} (n {here[0]['n']:,})", "subtitle": words}
            panels.append({"title": title, **answers(here, 200, picked(task, kind))})
        strips += [{"columns": 3, "spacing": 26, "concat": panels}] if panels else []
    return _figure(f"{behaviour.model} on {behaviour.dataset}", "how it answers", strips, rows)


def picked(task: str, kind: str) -> str:
    """Give the filter of the rows of one task and kind."""
    return f"datum.task === {quoted(task)} && datum.kind === {quoted(kind)}"


def _figure(title: str, subtitle: str, charts: list[Spec], rows: Rows) -> Spec:
    """Stack charts under a title; where there are none, the title says so."""
    if not charts:
        base = view("points")
        empty = {"text": title, "subtitle": "no item with options was answered"}
        mark = layer(base, {"type": "point"}, {})
        return spec({"title": empty, "width": 320, "height": 10, **mark}, {"points": []})
    words: Spec = {"text": title, "subtitle": subtitle, "offset": 12}
    return spec({"title": words, "vconcat": charts, "spacing": 24}, {"points": rows})


def _shares(rows: pl.DataFrame) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for row in rows.iter_rows(named=True):
        one = found.setdefault(row["answer"], {})
        if row["truth"] is not None:
            one[TRUTH] = row["truth"]
        one[row["condition"]] = row["predicted"]
    return found


def _values(shares: dict[str, dict[str, float]], shown: list[str]) -> list[list[float]]:
    return sorted([round(one.get(s, 0.0), 9) for s in (TRUTH, *shown)] for one in shares.values())


def _fewer(shares: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    ranked = sorted(shares, key=lambda a: (-sum(shares[a].values()), a))
    named = ranked if len(ranked) <= FEW + 1 else ranked[:FEW]
    found = {a: shares[a] for a in sorted(named, key=natural)}
    rest = [shares[a] for a in ranked[len(named) :]]
    if rest:
        series = {s for one in rest for s in one}
        sums = {s: sum(one.get(s, 0.0) for one in rest) for s in series}
        found[f"{len(rest)} other answers"] = sums
    return found


def _bar_color(series: str) -> str:
    return BORDER if series == TRUTH else LOOKS[series][0]


def _condition(conditions: Sequence[str], which: int) -> Spec:
    scale = {"domain": conditions, "range": [LOOKS[c][which] for c in conditions]}
    legend = {"title": None, "orient": "top", "labelExpr": f"{WORDS}[datum.label]", "columns": 2}
    return label("condition", scale=scale, legend=legend)


def _tooltip() -> list[dict[str, Any]]:
    named = {"accuracy": "accuracy", "low": "95 % from", "high": "95 % to", "chance": "chance"}
    named |= {"majority": "commonest answer", "gain": "sighted minus this"}
    shares = [number(k, format=".3f", title=v) for k, v in named.items()]
    return [label("row", title="asked"), label("condition"), *shares, number("q", format=".2g")]
