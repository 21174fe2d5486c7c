"""The attention stage: which items of which datasets are traced."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from eyechart.models.spec import Spec
from eyechart.plan import parts, paths
from eyechart.plan.behavior import check_asked, form, questions, vlm_runs
from eyechart.plan.configuration import Config, canonical
from eyechart.plan.registry import layout_of


@dataclass(frozen=True)
class AttentionPlan:
    """The section ``attention`` of a checked configuration, and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for a dataset that does not exist or has no questions for a VLM."""
        check_asked(self.config, "attention.datasets", self.datasets)

    @property
    def datasets(self) -> list[str]:
        """The datasets whose items are traced."""
        return list(self.config["attention"]["datasets"])

    def runs(self) -> Iterator[tuple[str, str]]:
        """Yield every traced (model, dataset); only models with a language model are traced."""
        return vlm_runs(self.config, self.specs, self.datasets)

    def settings(self, wildcards: Any) -> str:
        """Return which items are traced and their prompts, which are those of ``behavior``."""
        behavior = questions(self.config, wildcards.dataset)
        section = self.config["attention"]
        chosen = {key: section[key] for key in ("items", "images", "top")}
        return canonical({**chosen, "prompt": behavior["prompt"], "choices": form(behavior)})

    def summary_settings(self, wildcards: Any) -> str:
        """Return how attention masses are summarised."""
        return canonical({"draws": self.config["attention"]["bootstrap"]})

    def all_regions(self) -> list[str]:
        """Return the region tables of all traced datasets that have one."""
        datasets = dict.fromkeys(dataset for _, dataset in self.runs())
        marked = [d for d in datasets if layout_of(self.config, d).regions]
        return [paths.REGIONS.rule(dataset=dataset) for dataset in marked]

    def regions(self, wildcards: Any) -> list[str]:
        """Return a dataset's region table, or nothing where its layout marks no regions."""
        marked = layout_of(self.config, wildcards.dataset).regions
        return [paths.REGIONS.rule(dataset=wildcards.dataset)] if marked else []

    def parts(self, name: str) -> Callable[[Any], list[str]]:
        """Return the input function of one table of all parts."""

        def tables(wildcards: Any) -> list[str]:
            names = {"model": wildcards.model, "dataset": wildcards.dataset, "table": name}
            every = parts.names(self.config, self.specs, wildcards)
            return [paths.ATTENTION_PARTS.rule(**names, part=part) for part in every]

        return tables

    def tables(self, name: str) -> list[str]:
        """Return the table with this name of every traced model and dataset."""
        return [paths.ATTENTION.rule(model=m, dataset=d, table=name) for m, d in self.runs()]
