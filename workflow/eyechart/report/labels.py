"""Display names of conditions, tasks and columns, and the shared criteria for findings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eyechart.tables.scores import ALL

SIGHTED = "sighted"
BLIND = ("blank", "no_image", "noise", "swapped")  # the first one that was run counts as blind
CONDITION_NAMES = {
    "sighted": "sighted",
    "blank": "blank image",
    "noise": "noise",
    "swapped": "another item's image",
    "no_image": "no image",
}
WITHOUT_IMAGE = {  # the same, for use in sentences
    "blank": "a blank image",
    "noise": "a noise image",
    "swapped": "another item's image",
    "no_image": "no image",
}


@dataclass(frozen=True)
class Criteria:
    """The criteria of a finding: ``q`` below ``alpha`` and selectivity above ``selectivity``."""

    alpha: float
    selectivity: float

    def passed(self, point: dict[str, Any]) -> bool:
        """Return whether a point passes in all seeds, with its interval above the majority."""
        above = point["low"] > point["majority"]
        return bool(point["q"] < self.alpha and point["selectivity"] > self.selectivity and above)

    def change(self, comparison: dict[str, Any]) -> str:
        """Return the change from the first to the second address, as a word."""
        if comparison["q"] >= self.alpha:
            return "no difference shown"
        return "falls" if comparison["difference"] < 0 else "rises"

    def uses_image(self, blind: dict[str, Any]) -> str:
        """Return the result of the paired test, sighted against blind: yes, worse, not shown."""
        if blind["q"] is None or blind["q"] >= self.alpha:
            return "not shown"
        return "yes" if blind["gain"] > 0 else "worse"


def task_name(task: str) -> str:
    """Return a task's display name."""
    return "all tasks" if task == ALL else task


def listed(words: Sequence[str]) -> str:
    """Return words joined as in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def natural(label: str) -> tuple[int, float, str]:
    """Return a sort key that places numbers, by value, before words, alphabetically.

    >>> sorted(["10", "9", "yes", "no"], key=natural)
    ['9', '10', 'no', 'yes']
    """
    return (0, float(label), label) if label.isdecimal() else (1, 0.0, label)


def join_findings(*groups: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merge findings by dataset and model, sorted by both."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in (one for group in groups for one in group):
        key = one["dataset"], one["model"]
        sentences = found[key]["sentences"] if key in found else []
        found[key] = {**one, "sentences": [*sentences, *one["sentences"]]}
    return [found[key] for key in sorted(found)]
