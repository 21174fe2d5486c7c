"""The interventions stage: which models answer which items under which edits."""

from typing import Any

from eyechart.core.fingerprint import fingerprint
from eyechart.interventions.registry import EDITS, modules
from eyechart.plan import paths
from eyechart.plan.behavior import check_tasks, check_trainable, check_vlms
from eyechart.plan.configuration import canonical
from eyechart.plan.stage import QuestionsPlan

SHARED = ("edits", "items", "training", "addresses", "batch_size")


class InterventionsPlan(QuestionsPlan):
    """The section ``interventions`` of a validated configuration, and the specs of all models."""

    SECTION = "interventions"
    TABLES = paths.INTERVENTIONS

    def check(self) -> None:
        """Raise a UserError for an unknown dataset or edit, or for items that cannot be edited."""
        modules(self.section["edits"])
        super().check()
        for dataset in self.datasets:
            why = "erasers are fitted on other groups"
            check_trainable(self.config, dataset, "where interventions are made", why)
        check_tasks(self.config, "interventions.tasks", self.section["tasks"])
        check_vlms(self.specs, "interventions.models", self.section["models"])

    def settings(self, wildcards: Any) -> str:
        """Return the settings of the edits, with the prompts under ``behavior``."""
        section = self.section
        own = {key: section[key] for key in SHARED}
        own["tasks"] = section["tasks"].get(wildcards.dataset)
        own["options"] = {name: section[name] for name in section["edits"] if name in section}
        return canonical(own | self.prompts(wildcards.dataset, "prompt", "scoring"))

    def effect_settings(self, wildcards: Any) -> str:
        """Return the margin of the verdict, within which a difference counts as no effect."""
        return canonical({"margin": self.config["verdict"]["margin"]})

    def code(self, wildcards: Any) -> str:
        """Return the code hash of the step, its edits and the model's family."""
        names = [name for name in self.section["edits"] if name in EDITS]
        family = f"eyechart.models.families.{self.specs[wildcards.model].family}"
        steps = ["eyechart.interventions.intervene", *modules(names), family]
        return " ".join(map(fingerprint, steps))
