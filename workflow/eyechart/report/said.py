"""What the models said in plain words, each sentence computed from the scores and their tests."""

from collections.abc import Sequence
from typing import Any

from eyechart.report.behaviour import SIGHTED, WITH, Behaviour
from eyechart.report.format import p_value, share
from eyechart.report.summary import Bar, listed
from eyechart.tables.scores import ALL

Row = dict[str, Any]


def say(behaviours: Sequence[Behaviour], bar: Bar) -> list[dict[str, Any]]:
    """Give per dataset and model its sentences."""
    return [
        {"dataset": b.dataset, "model": b.model, "sentences": sentences(b, bar)} for b in behaviours
    ]


def join_findings(*groups: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put together findings of one dataset and model under one heading, sorted by both."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in (one for group in groups for one in group):
        key = one["dataset"], one["model"]
        sentences = found[key]["sentences"] if key in found else []
        found[key] = {**one, "sentences": [*sentences, *one["sentences"]]}
    return [found[key] for key in sorted(found)]


def sentences(behaviour: Behaviour, bar: Bar) -> list[str]:
    """Give the sentences of one model on one dataset."""
    found = []
    blind = behaviour.blind()
    pairs = compared(behaviour)
    if blind and pairs:
        found += _looks(pairs, WITH[blind], bar)
        found += _guessed(pairs)
    elif behaviour.accuracies():
        found.append("It was not asked without the picture, so nothing tells whether it looks.")
    found += _both_of_a_pair(behaviour)
    if behaviour.impossible:
        words = listed([WITH.get(c, c) for c in behaviour.impossible])
        found.append(f"It cannot be asked with {words}.")
    return found


def compared(behaviour: Behaviour) -> list[tuple[str, Row, Row]]:
    """Give task, sighted and blind accuracy wherever both are there, all tasks together first."""
    blind = behaviour.blind()
    rows = {(r["task"], r["condition"]): r for r in behaviour.accuracies()}
    tasks = [task for task in behaviour.tasks("accuracy") if (task, SIGHTED) in rows]
    return [
        (task, rows[task, SIGHTED], rows[task, blind])
        for task in tasks
        if blind and (task, blind) in rows
    ]


def _looks(pairs: Sequence[tuple[str, Row, Row]], blind: str, bar: Bar) -> list[str]:
    """Give what the test says over all tasks, then on which tasks it says what."""
    found = []
    ends = {
        "looks": "it looks at the picture",
        "worse": "the picture makes it answer worse",
        "not shown": "no difference is shown, so nothing tells that it looks",
    }
    for task, sighted, other in pairs:
        if task == ALL:
            n = f"n = {sighted['n']:,}"
            found.append(
                f"It answers {_accuracy(sighted)} right sighted, {_accuracy(other)} blind, with "
                f"{blind} ({n}, q {p_value(other['q'])}; chance {share(sighted['chance'])}): "
                f"{ends[bar.looks(other)]}."
            )
    tasks = [pair for pair in pairs if pair[0] != ALL]
    words = {
        "looks": "It looks when asked about",
        "worse": "It answers better without the picture when asked about",
        "not shown": "No difference between with and without the picture is shown on",
    }
    for verdict, start in words.items():
        parts = [
            f"{task} ({_accuracy(sighted)} sighted, {_accuracy(other)} blind, "
            f"n = {sighted['n']:,}, q {p_value(other['q'])})"
            for task, sighted, other in tasks
            if bar.looks(other) == verdict
        ]
        found += [f"{start} {listed(parts)}."] if parts else []
    return found


def _guessed(pairs: Sequence[tuple[str, Row, Row]]) -> list[str]:
    """Give the tasks whose questions alone tell more than chance and the commonest answer do."""
    parts = [
        f"{task} ({_accuracy(other)}; chance {share(other['chance'])}, commonest answer "
        f"{share(other['majority'])}, n = {other['n']:,})"
        for task, _, other in pairs
        if task != ALL
        and other["majority"] is not None
        and other["ci_low"] > max(other["chance"], other["majority"])
    ]
    return [f"Blind, the question alone tells answers of {listed(parts)}."] if parts else []


def _both_of_a_pair(behaviour: Behaviour) -> list[str]:
    row = behaviour.score("pair_accuracy", SIGHTED)
    if not row:
        return []
    above = row["ci_low"] > row["chance"]
    end = "above" if above else "below" if row["ci_high"] < row["chance"] else "not told apart from"
    return [
        f"Of {row['n']:,} pairs it gets {_accuracy(row)} wholly right, which is {end} chance "
        f"({share(row['chance'])})."
    ]


def _accuracy(row: Row) -> str:
    return f"{share(row['value'])} [{share(row['ci_low'])}–{share(row['ci_high'])}]"
