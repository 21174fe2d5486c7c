"""The saliency stage: which models' answers to which items are attributed to image tokens."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.behavior import BehaviorPlan, check_asked, questions
from eyechart.plan.configuration import Config, canonical
from eyechart.plan.registry import layout_of

OF_SUMMARY = ("datasets", "bootstrap")  # keys that no map depends on


@dataclass(frozen=True)
class SaliencyPlan:
    """The section ``saliency`` of a checked configuration, and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for a dataset that does not exist or has no questions for a VLM."""
        check_asked(self.config, "saliency.datasets", self.datasets)

    @property
    def datasets(self) -> list[str]:
        """The datasets whose answers are attributed."""
        return list(self.config["saliency"]["datasets"])

    def runs(self) -> Iterator[tuple[str, str]]:
        """Yield every (model, dataset) of models that read text."""
        behavior = BehaviorPlan(self.config, self.specs)
        every = ((model, d) for d in self.datasets for model in self.config["models"])
        return (run for run in every if behavior.can_answer(*run))

    def settings(self, wildcards: Any) -> str:
        """Return what is attributed, and the prompts, which are those of ``behavior``."""
        section, behavior = self.config["saliency"], questions(self.config, wildcards.dataset)
        own = {key: value for key, value in section.items() if key not in OF_SUMMARY}
        asked = {key: behavior[key] for key in ("prompt", "statement")}
        how = "letter" if behavior["scoring"] == "letter" else "text"
        return canonical({**own, **asked, "choices": how})

    def summary_settings(self, wildcards: Any) -> str:
        """Return how maps are summarised."""
        return canonical({"draws": self.config["saliency"]["bootstrap"]})

    def regions(self, wildcards: Any) -> list[str]:
        """Return a dataset's region table, or nothing where it has none."""
        located = layout_of(self.config, wildcards.dataset).located
        return [paths.REGIONS.rule(dataset=wildcards.dataset)] if located else []

    def all_regions(self) -> list[str]:
        """Return the region tables of all datasets that have one."""
        marked = [d for d in self.datasets if layout_of(self.config, d).located]
        return [paths.REGIONS.rule(dataset=dataset) for dataset in marked]

    def tables(self, name: str) -> list[str]:
        """Return the table with this name of every model and dataset."""
        return [paths.SALIENCY.rule(model=m, dataset=d, table=name) for m, d in self.runs()]
