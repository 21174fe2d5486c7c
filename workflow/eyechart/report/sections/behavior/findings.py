"""The findings from responses as sentences, computed from the scores and their tests."""

from collections.abc import Sequence
from typing import Any

from eyechart.report.format import p_value, share
from eyechart.report.labels import SIGHTED, WITHOUT_IMAGE, Criteria, listed
from eyechart.report.sections.behavior.load import Behavior
from eyechart.tables.scores import ALL

Row = dict[str, Any]


def summarise(behaviors: Sequence[Behavior], criteria: Criteria) -> list[dict[str, Any]]:
    """Return the sentences for each dataset and model."""
    return [
        {"dataset": b.dataset, "model": b.model, "sentences": sentences(b, criteria)}
        for b in behaviors
    ]


def sentences(behavior: Behavior, criteria: Criteria) -> list[str]:
    """Return the sentences for one model on one dataset."""
    found = []
    blind = behavior.blind()
    pairs = compared(behavior)
    if blind and pairs:
        found += _image_use(pairs, WITHOUT_IMAGE[blind], criteria)
        found += _guessed(pairs)
    elif behavior.accuracies():
        found.append("It was not tested without the image, so its use of the image is unknown.")
    found += _both_of_a_pair(behavior)
    if behavior.impossible:
        words = listed([WITHOUT_IMAGE.get(c, c) for c in behavior.impossible])
        found.append(f"It cannot be tested with {words}.")
    return found


def compared(behavior: Behavior) -> list[tuple[str, Row, Row]]:
    """Return task, sighted and blind accuracy where both exist, all tasks together first."""
    blind = behavior.blind()
    rows = {(r["task"], r["condition"]): r for r in behavior.accuracies()}
    tasks = [task for task in behavior.tasks("accuracy") if (task, SIGHTED) in rows]
    return [
        (task, rows[task, SIGHTED], rows[task, blind])
        for task in tasks
        if blind and (task, blind) in rows
    ]


def _image_use(pairs: Sequence[tuple[str, Row, Row]], blind: str, criteria: Criteria) -> list[str]:
    """Return the test result over all tasks, then the tasks with each result."""
    found = []
    ends = {
        "yes": "the model uses the image",
        "worse": "the image makes its answers worse",
        "not shown": "no significant difference, so no evidence that the model uses the image",
    }
    for task, sighted, other in pairs:
        if task == ALL:
            n = f"n = {sighted['n']:,}"
            found.append(
                f"Accuracy is {_accuracy(sighted)} sighted and {_accuracy(other)} with {blind} "
                f"({n}, q {p_value(other['q'])}; chance {share(sighted['chance'])}): "
                f"{ends[criteria.uses_image(other)]}."
            )
    tasks = [pair for pair in pairs if pair[0] != ALL]
    starts = {
        "yes": "It uses the image on",
        "worse": "It answers better without the image on",
        "not shown": "No significant difference between with and without the image on",
    }
    for result, start in starts.items():
        parts = [
            f"{task} ({_accuracy(sighted)} sighted, {_accuracy(other)} blind, "
            f"n = {sighted['n']:,}, q {p_value(other['q'])})"
            for task, sighted, other in tasks
            if criteria.uses_image(other) == result
        ]
        found += [f"{start} {listed(parts)}."] if parts else []
    return found


def _guessed(pairs: Sequence[tuple[str, Row, Row]]) -> list[str]:
    """Return the tasks whose questions alone give more than chance and the most common answer."""
    parts = [
        f"{task} ({_accuracy(other)}; chance {share(other['chance'])}, most common answer "
        f"{share(other['majority'])}, n = {other['n']:,})"
        for task, _, other in pairs
        if task != ALL
        and other["majority"] is not None
        and other["ci_low"] > max(other["chance"], other["majority"])
    ]
    return (
        [f"The question alone predicts answers above chance on {listed(parts)}."] if parts else []
    )


def _both_of_a_pair(behavior: Behavior) -> list[str]:
    row = behavior.score("pair_accuracy", SIGHTED)
    if not row:
        return []
    above = row["ci_low"] > row["chance"]
    below = row["ci_high"] < row["chance"]
    end = "above" if above else "below" if below else "not significantly different from"
    return [
        f"Pair accuracy is {_accuracy(row)} over {row['n']:,} pairs, {end} chance "
        f"({share(row['chance'])})."
    ]


def _accuracy(row: Row) -> str:
    return f"{share(row['value'])} [{share(row['ci_low'])}–{share(row['ci_high'])}]"
