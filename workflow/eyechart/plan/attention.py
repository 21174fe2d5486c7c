"""The attention stage: which datasets and items are traced."""

from collections.abc import Callable
from typing import Any

from eyechart.plan import parts, paths
from eyechart.plan.configuration import canonical
from eyechart.plan.registry import layout_of
from eyechart.plan.stage import QuestionsPlan


class AttentionPlan(QuestionsPlan):
    """The section ``attention`` of a validated configuration, and the specs of all models."""

    SECTION = "attention"
    TABLES = paths.ATTENTION

    def settings(self, wildcards: Any) -> str:
        """Return the settings that select traced items, with their prompts under ``behavior``."""
        chosen = {key: self.section[key] for key in ("items", "images", "top")}
        return canonical(chosen | self.prompts(wildcards.dataset, "prompt"))

    def summary_settings(self, wildcards: Any) -> str:
        """Return the settings of the attention summary."""
        return canonical({"draws": self.section["bootstrap"]})

    def all_regions(self) -> list[str]:
        """Return the existing region tables of all traced datasets."""
        datasets = dict.fromkeys(dataset for _, dataset in self.runs())
        marked = [d for d in datasets if layout_of(self.config, d).regions]
        return [paths.REGIONS.rule(dataset=dataset) for dataset in marked]

    def regions(self, wildcards: Any) -> list[str]:
        """Return a dataset's region table, or nothing if its layout marks no regions."""
        marked = layout_of(self.config, wildcards.dataset).regions
        return [paths.REGIONS.rule(dataset=wildcards.dataset)] if marked else []

    def parts(self, name: str) -> Callable[[Any], list[str]]:
        """Return the input function for the table ``name`` of all parts."""

        def tables(wildcards: Any) -> list[str]:
            names = {"model": wildcards.model, "dataset": wildcards.dataset, "table": name}
            every = parts.names(self.config, self.specs, wildcards)
            return [paths.ATTENTION_PARTS.rule(**names, part=part) for part in every]

        return tables
