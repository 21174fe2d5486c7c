"""The concepts stage: which datasets of coloured words are compared with colours, and how."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eyechart.core.errors import UserError
from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.behavior import BehaviorPlan
from eyechart.plan.configuration import Config, canonical, check_known, examines

SETTINGS = ("columns", "components", "neighbours", "power", "shown", "threshold", "permutations",
            "bootstrap")  # fmt: skip


@dataclass(frozen=True)
class ConceptsPlan:
    """The section ``concepts`` of a checked configuration, and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for a dataset that does not exist or has another layout."""
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
        """The datasets whose words and colours are compared."""
        return list(self.config["concepts"]["datasets"])

    def runs(self) -> Iterator[tuple[str, str]]:
        """Yield every compared (model, dataset)."""
        every = ((m, d) for d in self.datasets for m in self.config["models"])
        return (run for run in every if examines(self.config, *run))

    def settings(self, wildcards: Any) -> str:
        """Return how words and colours are compared, as canonical JSON."""
        return canonical({key: self.config["concepts"][key] for key in SETTINGS})

    def responses(self, wildcards: Any) -> list[str]:
        """Return the model's sighted responses to the same images, if it gives any."""
        behavior = BehaviorPlan(self.config, self.specs)
        model, dataset = wildcards.model, wildcards.dataset
        sighted = paths.RESPONSES.rule(model=model, dataset=dataset, condition="sighted")
        return [sighted] if (model, dataset) in behavior.runs() else []

    def tables(self, name: str) -> list[str]:
        """Return the table ``cues``, ``separation`` or ``projection`` of every comparison."""
        return [paths.CONCEPTS.rule(model=m, dataset=d, table=name) for m, d in self.runs()]
