"""The concepts stage: which datasets of coloured words are compared with colours, and how."""

from typing import Any

from eyechart.core.errors import UserError
from eyechart.plan import paths
from eyechart.plan.behavior import BehaviorPlan
from eyechart.plan.configuration import canonical, check_known
from eyechart.plan.stage import DatasetsPlan

SETTINGS = ("columns", "components", "neighbours", "power", "shown", "threshold", "permutations",
            "bootstrap")  # fmt: skip


class ConceptsPlan(DatasetsPlan):
    """The section ``concepts`` of a validated configuration, and the specs of all models."""

    SECTION = "concepts"
    TABLES = paths.CONCEPTS

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

    def settings(self, wildcards: Any) -> str:
        """Return the settings for comparing words and colours, as canonical JSON."""
        return canonical({key: self.section[key] for key in SETTINGS})

    def responses(self, wildcards: Any) -> list[str]:
        """Return the model's sighted responses to the same images, if there are any."""
        behavior = BehaviorPlan(self.config, self.specs)
        model, dataset = wildcards.model, wildcards.dataset
        sighted = paths.RESPONSES.rule(model=model, dataset=dataset, condition="sighted")
        return [sighted] if dataset in behavior.answered(model) else []
