"""Looks: items are answered in steps, continuing only while the verdict is undecided.

The last look writes the tables that all other stages read, so these do not depend on looks.
Snakemake imports this module at parse time, so it must not import numpy or torch.
"""

from dataclasses import dataclass
from typing import Any

from eyechart.plan import paths
from eyechart.plan.configuration import Config, canonical


@dataclass(frozen=True)
class LooksPlan:
    """The looks of a validated configuration; the first is 1."""

    config: Config

    @property
    def counts(self) -> list[int]:
        """Numbers of items per skill up to each look; none if all are answered at once."""
        section = self.config["verdict"]
        return section["looks"] if section["look"] == "sequential" else []

    @property
    def before_last(self) -> int:
        """The number of looks before the last."""
        return max(0, len(self.counts) - 1)

    def look(self, wildcards: Any) -> int:
        """Return the look of a job: the last if its files do not name one."""
        return int(getattr(wildcards, "look", self.before_last + 1))

    def settings(self, wildcards: Any) -> str:
        """Return all looks and the job's own, as canonical JSON; empty if there are none."""
        step = {"counts": self.counts, "look": self.look(wildcards)}
        return canonical(step if self.counts else {})

    def responses(self, look: int, model: str, dataset: str, condition: str) -> str:
        """Return the table of all responses up to a look."""
        names = {"model": model, "dataset": dataset, "condition": condition}
        if look > self.before_last:
            return paths.RESPONSES.rule(**names)
        return paths.LOOK_RESPONSES.rule(look=str(look), **names)

    def classes(self, wildcards: Any) -> list[str]:
        """Return the classes of the previous look, if there is one."""
        before, model = self.look(wildcards) - 1, wildcards.model
        names = {"model": model, "look": str(before), "table": "classes"}
        return [paths.LOOK_VERDICT.rule(**names)] if before else []
