"""What the rules ask about concepts: which datasets of words in colours are compared, and how.

Snakemake imports this at parse time, so it needs neither numpy nor torch. A method with the
argument ``wildcards`` is called by Snakemake once per job.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eyechart.core.errors import UserError
from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.behavior import BehaviorPlan
from eyechart.plan.configuration import Config, canonical, check_known

SETTINGS = ("columns", "components", "neighbours", "power", "shown", "threshold", "permutations",
            "bootstrap")  # fmt: skip


@dataclass(frozen=True)
class ConceptsPlan:
    """The section ``concepts`` of a checked configuration, and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for a dataset that is not there or is not of words and colours."""
        known = self.config["datasets"]
        for dataset in self.datasets:
            check_known("concepts.datasets", "dataset", dataset, known)
            if known[dataset]["layout"] != "stroop":
                raise UserError(
                    f"concepts.datasets: {dataset!r} has the layout "
                    f"{known[dataset]['layout']!r}, expected 'stroop'"
                )

    @property
    def datasets(self) -> list[str]:
        """The datasets that are compared."""
        return list(self.config["concepts"]["datasets"])

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield every (model, dataset) of the exam that is compared."""
        return ((m, d) for d in self.datasets for m in self.config["models"])

    def setting(self, wildcards: Any) -> str:
        """Give how words and colours are compared, as canonical JSON."""
        return canonical({key: self.config["concepts"][key] for key in SETTINGS})

    def answers(self, wildcards: Any) -> list[str]:
        """Give the sighted answers to the same pictures, if the model is asked about them."""
        answering = BehaviorPlan(self.config, self.specs)
        model, dataset = wildcards.model, wildcards.dataset
        sighted = paths.RESPONSES.rule(model=model, dataset=dataset, condition="sighted")
        return [sighted] if (model, dataset) in answering.pairs() else []

    def tables(self, name: str) -> list[str]:
        """Give one of the tables (``cues``, ``separation``, ``projection``) of all comparisons."""
        return [paths.CONCEPTS.rule(model=m, dataset=d, table=name) for m, d in self.pairs()]
