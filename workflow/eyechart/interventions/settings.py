"""Settings of the interventions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eyechart.inference.prompts import PromptStyle


@dataclass(frozen=True)
class InterventionSettings:
    """The interventions slice of the config.

    Attributes
    ----------
    edits : names in the registry
    tasks : those whose items are edited, or all of the dataset
    items, training : most items of each task, drawn from the test groups, and from the others
    addresses : patterns
    prompt, choices, scoring : how items are asked and answered, as in the behavior stage
    batch_size : items in one forward pass
    options : by intervention, its own settings
    """

    edits: list[str]
    tasks: list[str] | None
    items: int
    training: int
    addresses: list[str]
    batch_size: int | str
    prompt: str
    choices: str
    scoring: str
    options: dict[str, Any]

    def erased(self) -> list[str] | None:
        """Return the tasks that erasers are fitted on, or nothing if these are all."""
        named = self.options.get("erase", {}).get("concepts") or []
        return None if self.tasks is None else [*self.tasks, *named]

    def style(self) -> PromptStyle:
        """Return the prompt style: options in the given order only."""
        return PromptStyle(self.prompt, self.choices, 1)
