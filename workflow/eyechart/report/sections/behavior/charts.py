"""Charts of responses: accuracy under each condition, and the distribution of responses."""

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt
import polars as pl

from eyechart.report import chart_style as style
from eyechart.report.files import Inputs
from eyechart.report.labels import CONDITION_NAMES, SIGHTED, natural, task_name
from eyechart.report.sections.behavior.load import Behavior, read_behavior
from eyechart.tables.conditions import CONDITIONS
from eyechart.tables.scores import ALL

METRICS = {"accuracy": "accuracy", "pair_accuracy": "pair accuracy (every item of a pair right)"}
TEXTS = {
    "vqa_accuracy": "VQA accuracy",
    "bleu_4": "BLEU-4",
}  # metrics of text responses, from 0 to 1
COLORS = {
    "sighted": style.BLUE,
    "blank": style.VERMILION,
    "noise": style.ORANGE,
    "swapped": style.PURPLE,
    "no_image": style.GREEN,
}
SHAPES = {
    "sighted": "circle",
    "blank": "square",
    "noise": "triangle-up",
    "swapped": "diamond",
    "no_image": "triangle-down",
}
KEY = "dashed: chance · black: always the most common answer"
TRUTH = "truth"
FEW = 12  # answers shown by name; the others are combined in one bar
KINDS = {"choice": "responses", "place": "positions among the options"}
NUMBERS = {
    "accuracy": "accuracy",
    "low": "95% from",
    "high": "95% to",
    "chance": "chance",
    "majority": "most common answer",
    "gain": "sighted minus this",
}


def figures(inputs: Inputs, settings: dict[str, Any]) -> dict[str, style.Spec]:
    """Return the figures of one model on one dataset."""
    (behavior,) = read_behavior(inputs.paths("scores"), inputs.paths("distributions"), [], [])
    return {"accuracy": accuracies(behavior), "responses": all_responses(behavior)}


def accuracy_rows(
    behaviors: Iterable[Behavior], metrics: Iterable[str] = METRICS, named: bool = False
) -> style.Rows:
    """Return one row per metric, task, condition; ``named`` by dataset and model, not by task."""
    found = []
    for b in behaviors:
        for metric in metrics:
            for score in b.accuracies(metric):
                kept = {k: score[k] for k in ("metric", "task", "condition", "chance", "majority")}
                kept["majority"] = score["majority"] if metric == "accuracy" else None
                kept |= {"accuracy": score["value"], "low": score["ci_low"]}
                kept |= {"high": score["ci_high"]} | {k: score[k] for k in ("gain", "p", "q")}
                n = score["n"]  # pairs for pair accuracy
                name = f"{b.dataset}, {b.model}" if named else task_name(score["task"])
                found.append(kept | {"n": n, "row": f"{name} (n {n:,})"})
    return style.rounded(found)


def accuracy(rows: style.Rows, metric: str, width: int | str) -> alt.LayerChart:
    """Draw one metric: one row per task with a mark and interval per condition."""
    here = [r for r in rows if r["metric"] == metric]
    names = list(dict.fromkeys(r["row"] for r in here))
    conditions = [c for c in CONDITIONS if any(r["condition"] == c for r in here)]
    band = 10 * len(conditions) + 6
    title = f"{(METRICS | TEXTS)[metric]}, 95% interval"
    axis = {"format": ".1f", "tickCount": 5}
    chart = style.base("points", metric=metric)
    across = chart.encode(
        y=alt.Y("row:O", title=None, sort=names, bandPosition=0.04),
        y2=alt.Y2("row", bandPosition=0.96),
    )
    marks = chart.encode(
        y=alt.Y("row:O", title=None, sort=names),
        yOffset=alt.YOffset("condition:N", sort=conditions),
        color=_condition(alt.Color, COLORS, conditions),
    )
    tooltip = [alt.Tooltip("row:N", title="task"), "condition:N", *style.decimals(NUMBERS)]
    return alt.layer(
        across.mark_rule(color=style.GREY, strokeDash=[3, 2], strokeWidth=1.4).encode(
            x=alt.X("chance:Q", scale=style.UNIT, title=title)
        ),
        across.mark_rule(color=style.INK, strokeWidth=1.4).encode(
            x=alt.X("majority:Q", scale=style.UNIT, title=title)
        ),
        marks.mark_rule(strokeWidth=1.6).encode(
            x=alt.X("low:Q", scale=style.UNIT, title=title), x2="high"
        ),
        marks.mark_point(filled=True, size=55, opacity=1).encode(
            x=alt.X("accuracy:Q", scale=style.UNIT, title=title, axis=axis),
            shape=_condition(alt.Shape, SHAPES, conditions),
            tooltip=[*tooltip, alt.Tooltip("q:Q", format=".2g")],
        ),
    ).properties(width=width, height=len(names) * (band + 6))


def one_accuracy(
    rows: style.Rows, metric: str, width: int | str, description: str, own: bool = True
) -> style.Spec:
    """Return the chart of one metric, with ``own`` rows or for the page to fill in."""
    chart = accuracy(rows, metric, width)
    return style.finish(chart, {"points": rows if own else []}, f"{description}: {METRICS[metric]}")


def accuracies(behavior: Behavior) -> style.Spec:
    """Draw every metric of a model on a dataset as a separate figure."""
    rows = accuracy_rows([behavior], METRICS | TEXTS)
    charts = [accuracy(rows, metric, 560) for metric in dict.fromkeys(r["metric"] for r in rows)]
    return _figure(f"{behavior.model} on {behavior.dataset}", KEY, charts, rows)


def response_rows(behavior: Behavior) -> style.Rows:
    """Return the distributions of responses and of their positions among the options.

    There is one row per task, kind, answer and series (``truth``, sighted, blind). Of many answers,
    the ``FEW`` most frequent keep their names and the others are combined. Positions are omitted if
    they are redundant, because every item has the same options in the same order.
    """
    shown = [c for c in (SIGHTED, behavior.blind()) if c in behavior.conditions()]
    kept = behavior.distributions.filter(pl.col("condition").is_in(shown))
    found: style.Rows = []
    for (task,), part in kept.group_by("task", maintain_order=True):
        answers = _shares(part.filter(pl.col("kind") == "choice"))
        positions = _shares(part.filter(pl.col("kind") == "place"))
        known = part["truth"].is_not_null().any()
        new = _values(positions, shown) != _values(answers, shown)
        for kind, shares in (("choice", answers), *((("place", positions),) if new else ())):
            for answer, one in _fewer(shares).items():
                for series in (TRUTH, *shown) if known else shown:
                    row = {"task": task, "kind": kind, "answer": answer, "series": series}
                    found.append(row | {"share": one.get(series, 0.0), "n": part["n"].max()})
    return style.rounded(sorted(found, key=lambda r: r["task"] != ALL))


def responses(rows: style.Rows, width: int | str, keep: str) -> alt.Chart:
    """Draw bars of one task and kind, one group per answer; ``keep`` is the filter expression.

    The height fits the given rows; a page that selects other rows sets it with :func:`bars_height`.
    """
    series = list(dict.fromkeys(r["series"] for r in rows))
    colors = style.scale_of({s: style.BORDER if s == TRUTH else COLORS[s] for s in series})
    legend = {"title": None, "orient": "top", "symbolType": "square"}
    legend |= {"labelExpr": style.renamed(CONDITION_NAMES)}
    axis = {"labelLimit": 150, "minExtent": 60}
    share = {"tickCount": 5, "format": ".2~f"}
    bars = style.base("points").transform_filter(keep).mark_bar()
    return bars.encode(
        y=alt.Y("answer:O", title=None, sort=None, axis=axis),
        yOffset=alt.YOffset("series:N", sort=series),
        x=alt.X("share:Q", title="share of items", axis=share),
        color=alt.Color("series:N", scale=colors, legend=legend),
        tooltip=["answer:N", "series:N", alt.Tooltip("share:Q", format=".3f"), "n:Q"],
    ).properties(width=width, height=bars_height(rows))


def bars_height(rows: style.Rows) -> int:
    """Return the height in px of the bars of one task and kind."""
    return len({r["answer"] for r in rows}) * (9 * len({r["series"] for r in rows}) + 7)


def all_responses(behavior: Behavior) -> style.Spec:
    """Draw the distributions of every task, responses first, as a separate figure."""
    rows = response_rows(behavior)
    strips: list[style.Chart] = []
    for kind, words in KINDS.items():
        panels = []
        for task in dict.fromkeys(r["task"] for r in rows if r["kind"] == kind):
            here = [r for r in rows if (r["task"], r["kind"]) == (task, kind)]
            heading = {"text": f"{task_name(task)} (n {here[0]['n']:,})", "subtitle": words}
            chart = responses(here, 200, style.equals(task=task, kind=kind))
            panels.append(chart.properties(title=heading))
        strips += [alt.concat(*panels, columns=3, spacing=26)] if panels else []
    title = f"{behavior.model} on {behavior.dataset}"
    return _figure(title, "distribution of its responses", strips, rows)


def _figure(
    title: str, subtitle: str, charts: Sequence[style.Chart], rows: style.Rows
) -> style.Spec:
    """Stack charts under a title; if there are none, the title states this."""
    if not charts:
        return style.empty(title, "no item with options was answered")
    words = {"text": title, "subtitle": subtitle, "offset": 12}
    chart = alt.vconcat(*charts, spacing=24).properties(title=words)
    return style.finish(chart, {"points": rows}, f"{title}: {subtitle}")


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


def _condition(channel: Any, looks: dict[str, str], conditions: Sequence[str]) -> Any:
    legend = {
        "title": None,
        "orient": "top",
        "labelExpr": style.renamed(CONDITION_NAMES),
        "columns": 2,
    }
    scale = style.scale_of({c: looks[c] for c in conditions})
    return channel("condition:N", scale=scale, legend=legend)
