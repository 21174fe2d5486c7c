"""The saliency stage: the models and items whose answers are attributed to image tokens."""

from collections.abc import Iterator
from typing import Any

from eyechart.plan import paths
from eyechart.plan.attention import AttentionPlan
from eyechart.plan.behavior import BehaviorPlan
from eyechart.plan.configuration import canonical
from eyechart.plan.interventions import InterventionsPlan
from eyechart.plan.stage import QuestionsPlan

OF_SUMMARY = ("datasets", "bootstrap")  # keys that do not affect maps


class SaliencyPlan(QuestionsPlan):
    """The section ``saliency`` of a validated configuration, and the specs of all models."""

    SECTION = "saliency"
    TABLES = paths.SALIENCY

    def runs(self) -> Iterator[tuple[str, str]]:
        """Yield every (model, dataset) of models that read text."""
        behavior = BehaviorPlan(self.config, self.specs)
        every = ((model, d) for d in self.datasets for model in self.config["models"])
        return (run for run in every if behavior.can_answer(*run))

    def settings(self, wildcards: Any) -> str:
        """Return the attribution settings, with the prompts under ``behavior``."""
        own = {key: value for key, value in self.section.items() if key not in OF_SUMMARY}
        return canonical(own | self.prompts(wildcards.dataset, "prompt", "statement"))

    def summary_settings(self, wildcards: Any) -> str:
        """Return the settings of the summary of maps."""
        return canonical({"draws": self.section["bootstrap"]})

    # Inputs of the table on a model's use of the image

    def inputs(self, wildcards: Any) -> list[str]:
        """Return the tables of the language model's inputs from the images of each dataset."""
        of = {"model": wildcards.model, "table": "inputs"}
        return [paths.SALIENCY.rule(dataset=d, **of) for d in self._of(wildcards)]

    def responses(self, wildcards: Any) -> list[str]:
        """Return the responses under all conditions to all answered datasets."""
        behavior = BehaviorPlan(self.config, self.specs)
        answered = behavior.answered(wildcards.model)
        own = [dataset for dataset in self._of(wildcards) if dataset in answered]
        conditions = behavior.conditions(self.specs[wildcards.model].kind)
        named = [{"dataset": d, "condition": c} for d in own for c in conditions]
        sighted = named if "sighted" in conditions else []
        return [paths.RESPONSES.rule(model=wildcards.model, **one) for one in sighted]

    def items(self, wildcards: Any) -> list[str]:
        """Return the items of the datasets."""
        return [paths.ITEMS.rule(dataset=dataset) for dataset in self._of(wildcards)]

    def attention(self, wildcards: Any) -> list[str]:
        """Return the attention summaries of the traced datasets."""
        traced = set(AttentionPlan(self.config, self.specs).runs())
        of = {"model": wildcards.model, "table": "summary"}
        own = (d for d in self._of(wildcards) if (wildcards.model, d) in traced)
        return [paths.ATTENTION.rule(dataset=dataset, **of) for dataset in own]

    def effects(self, wildcards: Any) -> list[str]:
        """Return the intervention effects on all datasets that have any."""
        made = set(InterventionsPlan(self.config, self.specs).runs())
        of = {"model": wildcards.model, "table": "effects"}
        own = (d for d in self._of(wildcards) if (wildcards.model, d) in made)
        return [paths.INTERVENTIONS.rule(dataset=dataset, **of) for dataset in own]

    def image_use(self) -> list[str]:
        """Return the tables on every model's use of the image; encoders have none."""
        models = dict.fromkeys(m for m, _ in self.runs() if self.specs[m].kind == "vlm")
        return [paths.IMAGE_USE.rule(model=model) for model in models]

    def _of(self, wildcards: Any) -> list[str]:
        return [dataset for model, dataset in self.runs() if model == wildcards.model]
