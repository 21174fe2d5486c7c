"""The findings in plain words, each sentence computed from the numbers and saying no more."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from eyechart.report.format import p_value, share
from eyechart.report.places import ROOM_NAMES, ROOMS
from eyechart.report.results import TaskResult


@dataclass(frozen=True)
class Bar:
    """What a finding must pass: ``q`` below ``alpha`` and selectivity above ``selectivity``."""

    alpha: float
    selectivity: float

    def passed(self, point: dict[str, Any]) -> bool:
        """Say whether a point passes, with its interval above the majority answer, in all seeds."""
        above = point["low"] > point["majority"]
        return bool(point["q"] < self.alpha and point["selectivity"] > self.selectivity and above)

    def change(self, comparison: dict[str, Any]) -> str:
        """Name the change from the first to the second place: falls, rises, or not shown."""
        if comparison["q"] >= self.alpha:
            return "no difference shown"
        return "falls" if comparison["difference"] < 0 else "rises"

    def looks(self, blind: dict[str, Any]) -> str:
        """Say what the paired test of sighted against blind shows: looks, worse, or not shown."""
        if blind["q"] is None or blind["q"] >= self.alpha:
            return "not shown"
        return "looks" if blind["gain"] > 0 else "worse"


def summarise(results: Sequence[TaskResult], bar: Bar) -> list[dict[str, Any]]:
    """Give per dataset and model its sentences, in the order of the results."""
    found = []
    for (dataset, model), group in groupby(results, key=lambda r: (r.dataset, r.model)):
        members = list(group)
        sentences = []
        for scope in ("item", "image"):
            tasks = [r for r in members if r.scope == scope]
            if tasks:
                sentences.append(_decodable(tasks, scope, bar))
            if tasks and any(len(r.rooms) > 1 for r in tasks):
                sentences.append(_by_room(tasks, bar))
                sentences += _changes(tasks, bar)
        found.append({"dataset": dataset, "model": model, "sentences": sentences})
    return found


def listed(words: Sequence[str]) -> str:
    """Join words as in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _decodable(tasks: Sequence[TaskResult], scope: str, bar: Bar) -> str:
    places: dict[str, list[str]] = {}
    for result in tasks:
        if bar.passed(result.best):
            places.setdefault(f"{result.best['address']}/{result.best['span']}", []).append(
                result.task
            )
    failed = [r.task for r in tasks if not bar.passed(r.best)]
    asked = "the picture with its question" if scope == "item" else "the picture alone"
    text = f"{len(tasks) - len(failed)} of {len(tasks)} tasks about {asked} can be decoded"
    if places:
        text += ": " + "; ".join(f"{listed(names)} best at {p}" for p, names in places.items())
    return f"{text}." + (f" Not shown: {listed(failed)}." if failed else "")


def _by_room(tasks: Sequence[TaskResult], bar: Bar) -> str:
    parts = []
    for room in ROOMS:
        asked = [r.rooms[room] for r in tasks if room in r.rooms]
        if asked:
            count = sum(bar.passed(point) for point in asked)
            parts.append(f"{ROOM_NAMES[room]} {count} of {len(asked)}")
    return f"Decoded at each room's own best address: {', '.join(parts)}."


def _changes(tasks: Sequence[TaskResult], bar: Bar) -> list[str]:
    pairs: dict[tuple[str, str], dict[str, list[str]]] = {}
    for result in tasks:
        for c in result.comparisons:
            change = bar.change(c)
            words = pairs.setdefault((c["first"]["room"], c["second"]["room"]), {})
            sure = c["q"] < bar.alpha
            size = f" ({share(c['difference'], sign=True)}, q {p_value(c['q'])})" if sure else ""
            words.setdefault(change, []).append(f"{result.task}{size}")
    found = []
    for (first, second), words in pairs.items():
        parts = [
            f"accuracy {verb} on {listed(words[verb])}"
            for verb in ("falls", "rises")
            if verb in words
        ]
        if "no difference shown" in words:
            parts.append(f"no difference is shown on {listed(words['no difference shown'])}")
        found.append(f"From {ROOM_NAMES[first]} to {ROOM_NAMES[second]}, {'; '.join(parts)}.")
    return found
