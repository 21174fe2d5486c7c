"""The findings from probes as sentences, computed from numbers and their tests."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from eyechart.core.address import COMPONENT_NAMES, COMPONENTS
from eyechart.report.format import p_value, share
from eyechart.report.labels import Criteria, listed
from eyechart.report.sections.probing.load import TaskResult


def summarise(results: Sequence[TaskResult], criteria: Criteria) -> list[dict[str, Any]]:
    """Return the sentences for each dataset and model, in result order."""
    found = []
    for (dataset, model), group in groupby(results, key=lambda r: (r.dataset, r.model)):
        members = list(group)
        sentences = []
        for scope in ("item", "image"):
            tasks = [r for r in members if r.scope == scope]
            if tasks:
                sentences.append(_decodable(tasks, scope, criteria))
            if tasks and any(len(r.components) > 1 for r in tasks):
                sentences.append(_by_component(tasks, criteria))
                sentences += _changes(tasks, criteria)
        found.append({"dataset": dataset, "model": model, "sentences": sentences})
    return found


def _decodable(tasks: Sequence[TaskResult], scope: str, criteria: Criteria) -> str:
    addresses: dict[str, list[str]] = {}
    for result in tasks:
        if criteria.passed(result.best):
            name = f"{result.best['address']}/{result.best['span']}"
            addresses.setdefault(name, []).append(result.task)
    failed = [r.task for r in tasks if not criteria.passed(r.best)]
    about = "the image and its question" if scope == "item" else "the image alone"
    text = f"{len(tasks) - len(failed)} of {len(tasks)} tasks about {about} can be decoded"
    text += " at the address selected by cross-validation"
    if addresses:
        parts = [f"{listed(names)} at {name}" for name, names in addresses.items()]
        text += f": {'; '.join(parts)}"
    return f"{text}." + (f" Not shown: {listed(failed)}." if failed else "")


def _by_component(tasks: Sequence[TaskResult], criteria: Criteria) -> str:
    parts = []
    for name in COMPONENTS:
        points = [r.components[name] for r in tasks if name in r.components]
        if points:
            count = sum(criteria.passed(point) for point in points)
            parts.append(f"{COMPONENT_NAMES[name]} {count} of {len(points)}")
    return f"If an address is selected in each component separately: {', '.join(parts)}."


def _changes(tasks: Sequence[TaskResult], criteria: Criteria) -> list[str]:
    pairs: dict[tuple[str, str], dict[str, list[str]]] = {}
    for result in tasks:
        for c in result.comparisons:
            change = criteria.change(c)
            words = pairs.setdefault((c["first"]["component"], c["second"]["component"]), {})
            sure = c["q"] < criteria.alpha
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
            parts.append(f"no significant difference on {listed(words['no difference shown'])}")
        found.append(
            f"From {COMPONENT_NAMES[first]} to {COMPONENT_NAMES[second]}, {'; '.join(parts)}."
        )
    return found
