"""What the template of answers is given: tables, charts and items of every model and dataset."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import polars as pl

from eyechart.report.answer_gallery import differing
from eyechart.report.behaviour import SHOWN, SIGHTED, Behaviour
from eyechart.report.chart_behaviour import (
    KINDS,
    METRICS,
    accuracy,
    accuracy_rows,
    answer_rows,
    answers,
    bars_height,
    task_name,
)
from eyechart.report.chart_style import Spec, spec
from eyechart.report.format import share
from eyechart.report.said import compared
from eyechart.tables.conditions import CONDITIONS
from eyechart.tables.scores import ALL

OTHERS = {  # metrics that are a line of the small table
    "accuracy_mean": "accuracy by log-probability per token",
    "accuracy_text": "accuracy of the written answer",
    "unparsed": "written answers that state no option",
    "vqa_accuracy": "VQA accuracy",
    "bleu_4": "BLEU-4",
    "cider_d": "CIDEr-D",
    **{f"recall_{k}_text": f"captions of a picture, recall@{k}" for k in (1, 5, 10)},
    **{f"recall_{k}_picture": f"picture of a caption, recall@{k}" for k in (1, 5, 10)},
}
CHANGES = ("blank", "noise", "swapped", "no_image")


def block(
    b: Behaviour, items: pl.DataFrame, images: pl.DataFrame, settings: dict[str, Any]
) -> dict[str, Any]:
    """Give what the section shows of one model on one dataset."""
    return {
        "id": f"says-{b.dataset}-{b.model}",
        "dataset": b.dataset,
        "model": b.model,
        "conditions": b.conditions(),
        "impossible": [SHOWN[c] for c in b.impossible],
        "blind": b.blind(),
        "overall": next(iter(compared(b)), None),
        "accuracy": accuracy_table(b, "accuracy"),
        "pairs": accuracy_table(b, "pair_accuracy"),
        "answers": answer_table(b),
        "others": other_table(b),
        "gallery": differing(b, items, images, settings),
        "charts": _charts(b),
    }


def section(
    behaviours: Sequence[Behaviour],
    tables: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]],
    settings: dict[str, Any],
) -> dict[str, Any] | None:
    """Give all that the section of answers shows, or None where nothing was asked."""
    if not behaviours:
        return None
    asked: dict[str, set[str]] = {}
    for b in behaviours:
        asked.setdefault(b.dataset, set()).update(b.conditions())
    shown = [
        {**block(b, *tables[b.dataset], settings), "unasked": unasked(b, asked[b.dataset])}
        for b in behaviours
    ]
    return {"blocks": shown, "overview": overview(behaviours)}


def unasked(behaviour: Behaviour, asked: Collection[str]) -> list[str]:
    """Give the conditions in which other models were asked and this one was not even tried."""
    own = {*behaviour.conditions(), *behaviour.impossible}
    return [SHOWN[c] for c in CONDITIONS if c in asked and c not in own]


def overview(behaviours: Sequence[Behaviour]) -> Spec | None:
    """Draw sighted and blind accuracy over all tasks, a row per dataset and model."""
    rows = [
        row
        for b in behaviours
        for row in accuracy_rows([b], named=True)
        if row["task"] == ALL
        and row["metric"] == "accuracy"
        and row["condition"] in (SIGHTED, b.blind())
    ]
    return spec(accuracy(rows, "accuracy", "container"), {"points": rows}) if rows else None


def accuracy_table(behaviour: Behaviour, metric: str) -> list[dict[str, Any]]:
    """Give a line per task: n, chance, commonest answer, and under ``at`` a row per condition."""
    lines: dict[str, dict[str, Any]] = {}
    for row in behaviour.accuracies(metric):
        line = {"task": task_name(row["task"]), "n": row["n"], "chance": row["chance"], "at": {}}
        line = lines.setdefault(row["task"], line | {"majority": row["majority"]})
        line["at"][row["condition"]] = row
    return list(lines.values())


def answer_table(behaviour: Behaviour) -> list[dict[str, Any]]:
    """Give a line per task: total variations, changed answers, bias of order and place."""
    blind = behaviour.blind()
    wanted = {"truth, sighted": ("tv_truth", SIGHTED)}
    if blind:
        wanted[f"truth, {SHOWN[blind]}"] = ("tv_truth", blind)
    wanted["sighted, blank picture"] = ("tv_blank", SIGHTED)
    wanted |= {f"changed: {SHOWN[c]}": ("changed", c) for c in CHANGES}
    wanted |= {"same in all orders": ("order_consistency", SIGHTED)}
    wanted |= {"bias of place": ("place_bias", SIGHTED)}
    lines = []
    for task in behaviour.tasks("tv_truth"):
        cells = {name: behaviour.score(*at, task) for name, at in wanted.items()}
        n = max(row["n"] for row in cells.values() if row)
        lines.append({"task": task_name(task), "n": n, "at": cells})
    heads = [name for name in wanted if any(line["at"][name] for line in lines)]
    return [{**line, "at": {name: line["at"][name] for name in heads}} for line in lines]


def other_table(behaviour: Behaviour) -> list[dict[str, Any]]:
    """Give a line per further metric and task (all together, where there is such a row)."""
    lines = []
    for metric, name in OTHERS.items():
        tasks = behaviour.tasks(metric)
        for task in [ALL] if ALL in tasks else tasks:
            at = {c: behaviour.score(metric, c, task) for c in behaviour.conditions()}
            some = next(row for row in at.values() if row)
            line = {"name": name, "task": task_name(task), "n": some["n"], "at": at}
            lines.append(line | {"chance": some["chance"]})
    return lines


def _charts(behaviour: Behaviour) -> dict[str, Any]:
    rows, bars = accuracy_rows([behaviour]), answer_rows(behaviour)
    views = list(dict.fromkeys((r["task"], r["kind"]) for r in bars))
    first = views[0] if views else ("", "")
    start = [{"name": n, "value": v} for n, v in zip(("task", "kind"), first, strict=True)]
    keep = "datum.task === task && datum.kind === kind"
    return {
        "accuracy": {
            metric: spec(accuracy(rows, metric, "container"), {"points": []})
            for metric in METRICS
            if any(r["metric"] == metric for r in rows)
        },
        "points": rows,
        "answers": spec({"params": start, **answers(bars, "container", keep)}, {"points": []}),
        "bars": bars,
        "views": [
            {
                "task": task,
                "kind": kind,
                "name": f"{task_name(task)}: {KINDS[kind]}",
                "sentence": _sentence(behaviour, task),
                "height": bars_height([r for r in bars if (r["task"], r["kind"]) == (task, kind)]),
            }
            for task, kind in views
        ],
    }


def _sentence(behaviour: Behaviour, task: str) -> str:
    parts = []
    blind = behaviour.blind()
    for condition in (SIGHTED, blind):
        row = behaviour.score("tv_truth", condition, task) if condition else None
        if row:
            parts.append(f"from the truth to {SHOWN[row['condition']]} {share(row['value'])}")
    row = behaviour.score("tv_blank", SIGHTED, task)
    if row:
        parts.append(f"from sighted to blank picture {share(row['value'])}")
    n = f"n = {row['n']:,}" if row else ""
    return f"Total variation {', '.join(parts)} ({n})." if parts else ""
