"""Responses: tables, charts and items of every model and dataset."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import polars as pl

from eyechart.report.chart_style import Spec, finish
from eyechart.report.files import Inputs
from eyechart.report.format import share
from eyechart.report.labels import CONDITION_NAMES, SIGHTED, Criteria, task_name
from eyechart.report.sections.behavior.charts import (
    KINDS,
    METRICS,
    accuracy_rows,
    bars_height,
    one_accuracy,
    response_rows,
    responses,
)
from eyechart.report.sections.behavior.examples import differing
from eyechart.report.sections.behavior.findings import compared, summarise
from eyechart.report.sections.behavior.load import Behavior, audit, read_behavior
from eyechart.statistics.intervals import FEW
from eyechart.tables.choice_scoring import LETTER, MEAN, OF_TEXT, PMI, SIMILARITY, SUM
from eyechart.tables.conditions import CONDITIONS
from eyechart.tables.parquet import read_table
from eyechart.tables.scores import ALL

OTHERS = {  # metrics with a line in the small table
    "accuracy_text": "accuracy of the written response",
    "unparsed": "written responses that state no option",
    "vqa_accuracy": "VQA accuracy",
    "bleu_4": "BLEU-4",
    "cider_d": "CIDEr-D",
    **{f"recall_{k}_text": f"captions of an image, recall@{k}" for k in (1, 5, 10)},
    **{f"recall_{k}_image": f"image of a caption, recall@{k}" for k in (1, 5, 10)},
}
NAMES = {  # names of scorings
    SUM: "the summed log-probability",
    MEAN: "the mean log-probability per token",
    PMI: "the log-probability minus the one without question and image",
    LETTER: "the log-probability of the letter",
    SIMILARITY: "the similarity of image and text",
}
CHANGES = ("blank", "noise", "swapped", "no_image")
VIEW = "datum.task === task && datum.kind === kind"  # the signals of the page's chart
Tables = Mapping[str, tuple[pl.DataFrame, pl.DataFrame]]


def context(inputs: Inputs, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the template data, or None if there are no responses."""
    tables = ("scores", "distributions", "answers", "retrieval")
    behaviors = read_behavior(*(inputs.paths(name) for name in tables))
    found = read_tables(inputs, {b.dataset for b in behaviors})
    audit(behaviors, {name: items for name, (items, _) in found.items()})
    criteria = Criteria(settings["alpha"], settings["selectivity"])
    shown = section(behaviors, found, settings)
    return shown and shown | {"findings": summarise(behaviors, criteria)}


def read_tables(inputs: Inputs, datasets: Collection[str]) -> Tables:
    """Return the items and images of some datasets, if they are among the inputs."""
    items, images = inputs.by_dataset("items"), inputs.by_dataset("images")
    return {
        name: (pl.DataFrame(read_table(items[name])), pl.DataFrame(read_table(images[name])))
        for name in items
        if name in datasets and name in images
    }


def section(
    behaviors: Sequence[Behavior], tables: Tables, settings: dict[str, Any]
) -> dict[str, Any] | None:
    """Return the blocks and the overview, or None if there are no responses."""
    if not behaviors:
        return None
    run: dict[str, set[str]] = {}
    for b in behaviors:
        run.setdefault(b.dataset, set()).update(b.conditions())
    blocks = [
        {**block(b, *tables[b.dataset], settings), "left_out": left_out(b, run[b.dataset])}
        for b in behaviors
    ]
    return {"blocks": blocks, "overview": overview(behaviors)}


def block(
    b: Behavior, items: pl.DataFrame, images: pl.DataFrame, settings: dict[str, Any]
) -> dict[str, Any]:
    """Return the template data of one model on one dataset."""
    return {
        "id": f"responses-{b.dataset}-{b.model}",
        "dataset": b.dataset,
        "model": b.model,
        "conditions": b.conditions(),
        "impossible": [CONDITION_NAMES[c] for c in b.impossible],
        "unasked": b.unasked,
        "few": FEW if min(b.scores["groups"], default=FEW) < FEW else None,
        "blind": b.blind(),
        "overall": next(iter(compared(b)), None),
        "accuracy": accuracy_table(b, "accuracy"),
        "pairs": accuracy_table(b, "pair_accuracy"),
        "responses": response_table(b),
        "others": other_table(b),
        "scoring": scorings(b),
        "gallery": differing(b, items, images, settings),
        "charts": _charts(b),
    }


def left_out(behavior: Behavior, run: Collection[str]) -> list[str]:
    """Return the conditions that other models ran under, but this one did not."""
    own = {*behavior.conditions(), *behavior.impossible}
    return [CONDITION_NAMES[c] for c in CONDITIONS if c in run and c not in own]


def overview(behaviors: Sequence[Behavior]) -> Spec | None:
    """Draw sighted and blind accuracy over all tasks, one row per dataset and model."""
    rows = [
        row
        for b in behaviors
        for row in accuracy_rows([b], named=True)
        if row["task"] == ALL
        and row["metric"] == "accuracy"
        and row["condition"] in (SIGHTED, b.blind())
    ]
    words = "Accuracy with and without the image"
    return one_accuracy(rows, "accuracy", "container", words) if rows else None


def accuracy_table(behavior: Behavior, metric: str) -> list[dict[str, Any]]:
    """Return one line per task: n, chance, most common answer; ``at`` has one row per condition."""
    lines: dict[str, dict[str, Any]] = {}
    for row in behavior.accuracies(metric):
        line = {"task": task_name(row["task"]), "n": row["n"], "chance": row["chance"], "at": {}}
        line = lines.setdefault(row["task"], line | {"majority": row["majority"]})
        line["at"][row["condition"]] = row
    return list(lines.values())


def response_table(behavior: Behavior) -> list[dict[str, Any]]:
    """Return one line per task: total variations, changed responses, order and position bias."""
    blind = behavior.blind()
    wanted = {"truth, sighted": ("tv_truth", SIGHTED)}
    if blind:
        wanted[f"truth, {CONDITION_NAMES[blind]}"] = ("tv_truth", blind)
    wanted["sighted, blank image"] = ("tv_blank", SIGHTED)
    wanted |= {f"changed: {CONDITION_NAMES[c]}": ("changed", c) for c in CHANGES}
    wanted |= {"same in all orders": ("order_consistency", SIGHTED)}
    wanted |= {"position bias": ("place_bias", SIGHTED)}
    lines = []
    for task in behavior.tasks("tv_truth"):
        cells = {name: behavior.score(*at, task) for name, at in wanted.items()}
        n = max(row["n"] for row in cells.values() if row)
        lines.append({"task": task_name(task), "n": n, "at": cells})
    heads = [name for name in wanted if any(line["at"][name] for line in lines)]
    return [{**line, "at": {name: line["at"][name] for name in heads}} for line in lines]


def other_table(behavior: Behavior) -> list[dict[str, Any]]:
    """Return one line per further metric and task (over all tasks, if there is such a row)."""
    lines = []
    for metric, name in OTHERS.items():
        tasks = behavior.tasks(metric)
        for task in [ALL] if ALL in tasks else tasks:
            at = {c: behavior.score(metric, c, task) for c in behavior.conditions()}
            some = next(row for row in at.values() if row)
            line = {"name": name, "task": task_name(task), "n": some["n"], "at": at}
            lines.append(line | {"chance": some["chance"]})
    return lines


def scorings(behavior: Behavior) -> dict[str, Any] | None:
    """Return the scoring of the sighted answers, and the changes under other scorings, if known."""
    others = []
    for name in OF_TEXT:
        row = behavior.score(f"changed_by_{name}", SIGHTED)
        if row:
            right = behavior.score(f"accuracy_{name}", SIGHTED)
            changed = round(row["value"] * row["n"])
            others.append({"name": NAMES[name], "n": row["n"], "changed": changed, "right": right})
    own = behavior.answers["scoring"].drop_nulls().unique().sort().to_list()
    return {"own": " and ".join(NAMES[name] for name in own), "others": others} if own else None


def _charts(behavior: Behavior) -> dict[str, Any]:
    rows, bars = accuracy_rows([behavior]), response_rows(behavior)
    views = list(dict.fromkeys((r["task"], r["kind"]) for r in bars))
    first = views[0] if views else ("", "")
    start = [{"name": n, "value": v} for n, v in zip(("task", "kind"), first, strict=True)]
    name = f"{behavior.model} on {behavior.dataset}"
    chart = responses(bars, "container", VIEW)
    drawn = finish(chart, {"points": []}, f"Distribution of the responses of {name}")
    return {
        "accuracy": {
            metric: one_accuracy(rows, metric, "container", name, own=False)
            for metric in METRICS
            if any(r["metric"] == metric for r in rows)
        },
        "points": rows,
        "responses": drawn | {"params": start},
        "bars": bars,
        "views": [_view(behavior, bars, *view) for view in views],
    }


def _view(behavior: Behavior, bars: list[dict[str, Any]], task: str, kind: str) -> dict[str, Any]:
    return {
        "task": task,
        "kind": kind,
        "name": f"{task_name(task)}: {KINDS[kind]}",
        "sentence": _sentence(behavior, task),
        "height": bars_height([r for r in bars if (r["task"], r["kind"]) == (task, kind)]),
    }


def _sentence(behavior: Behavior, task: str) -> str:
    parts = []
    blind = behavior.blind()
    for condition in (SIGHTED, blind):
        row = behavior.score("tv_truth", condition, task) if condition else None
        if row:
            parts.append(
                f"from the truth to {CONDITION_NAMES[row['condition']]} {share(row['value'])}"
            )
    row = behavior.score("tv_blank", SIGHTED, task)
    if row:
        parts.append(f"from sighted to blank image {share(row['value'])}")
    n = f"n = {row['n']:,}" if row else ""
    return f"Total variation {', '.join(parts)} ({n})." if parts else ""
